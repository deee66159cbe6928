"""Writes tests/packed-matrices.json: the smallest matrix of each packed layout, its tensors as the file has them, and the
SHA-256 of its exact values.

    python packed_matrices.py PACKED > tests/packed-matrices.json

PACKED has one folder for each layout: a repository as the tool that publishes it writes it, and `dequantized.json`, which
gives for each parameter of transformers' module the stored tensors, the shape, and the SHA-256 of the values as float32,
row by row. The values were compared to the last bit with mlx.core.dequantize, compressed-tensors, transformers'
Fp8Dequantize, autoawq, AutoGPTQ and bitsandbytes. `units/mlx.safetensors` has rows of random bits in MLX's other widths.
"""

import base64
import hashlib
import json
import struct
import sys
from pathlib import Path

SETTINGS = ("quantization", "quantization_config")
PREFIXES = ("mlx-", "compressed-", "fp8-", "awq-", "gptq-", "nf4-")


def read_header(file: Path) -> tuple[dict, int]:
    with open(file, "rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
    header.pop("__metadata__", None)
    return header, 8 + length


def read_tensor(file: Path, name: str) -> dict:
    header, start = read_header(file)
    entry = header[name]
    begin, end = entry["data_offsets"]
    with open(file, "rb") as stream:
        stream.seek(start + begin)
        data = stream.read(end - begin)
    return {"dtype": entry["dtype"], "shape": entry["shape"], "data": base64.b64encode(data).decode()}


def kept_settings(folder: Path) -> dict:
    config = json.loads((folder / "config.json").read_text())
    settings = {key: config[key] for key in SETTINGS if key in config}
    for key in ("ignore", "ignored_layers", "modules_to_not_convert", "llm_int8_skip_modules"):
        settings.get("quantization_config", {}).pop(key, None)
    return settings


def of_folder(folder: Path) -> list[dict]:
    """The smallest packed matrix of each kind."""
    table = json.loads((folder / "dequantized.json").read_text())
    kinds: dict[str, dict] = {}
    for entry in table.values():
        rows, width = (*entry["shape"], 1)[:2]
        packed = len(entry["stored"]) > 1 and len(entry["shape"]) == 2
        size = rows * width
        if packed and size < kinds.get(entry["kind"], {"size": 1 << 62})["size"]:
            kinds[entry["kind"]] = {**entry, "size": size}
    return [
        {
            "title": f"{folder.name}: {kind}",
            # The layout's own suffix ends the name of its first tensor.
            "name": entry["stored"][0].rsplit(".", 1)[0].removesuffix(".weight") + ".weight",
            "shape": entry["shape"],
            "sha256": entry["sha256"],
            "config": kept_settings(folder),
            "tensors": {name: read_tensor(folder / "model.safetensors", name) for name in entry["stored"]},
        }
        for kind, entry in kinds.items()
    ]


def of_units(file: Path) -> list[dict]:
    header, start = read_header(file)
    rows = []
    for name in (n.removesuffix(".values") for n in header if n.endswith(".values")):
        bits, group = name.removeprefix("b").split("g")
        if bits in ("4", "8") and group != "128":
            continue
        begin, end = header[f"{name}.values"]["data_offsets"]
        with open(file, "rb") as stream:
            stream.seek(start + begin)
            digest = hashlib.sha256(stream.read(end - begin)).hexdigest()
        rows.append(
            {
                "title": f"mlx {bits} bits, groups of {group}",
                "name": f"{name}.weight",
                "shape": header[f"{name}.values"]["shape"],
                "sha256": digest,
                "config": {"quantization": {"bits": int(bits), "group_size": int(group)}},
                "tensors": {f"{name}.{part}": read_tensor(file, f"{name}.{part}") for part in ("weight", "scales", "biases")},
            }
        )
    return rows


def main() -> None:
    packed = Path(sys.argv[1])
    folders = sorted(f for f in packed.iterdir() if f.name.startswith(PREFIXES))
    rows = [row for folder in folders for row in of_folder(folder)]
    print(json.dumps([*rows, *of_units(packed / "units/mlx.safetensors")], indent=1))


if __name__ == "__main__":
    main()
