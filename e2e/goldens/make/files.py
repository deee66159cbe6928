"""How files are written: JSON, the weights' recipe, the manifest."""

import base64
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from draws import Drawer
from packing import unpack

TYPES = {torch.bfloat16: "BF16", torch.float32: "F32", torch.int64: "I64"}


def write_json(path: Path, value) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_cases(path: Path, value) -> None:
    """JSON with lists of numbers in one line each."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    text = re.sub(
        r"\[[-\d\s.,e]*\]", lambda match: re.sub(r"\s+", " ", match[0]).replace("[ ", "[").replace(" ]", "]"), text
    )
    path.write_text(text + "\n", encoding="utf-8")


def write_rows(path: Path, rows: list, head: str = "[", tail: str = "]") -> None:
    """A JSON list with one row a line."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text(f"{head}\n{lines}\n{tail}\n", encoding="utf-8")


def octets(tensor: torch.Tensor) -> bytes:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def read_weights(folder: Path) -> tuple[str, dict[str, torch.Tensor]]:
    """(name of the folder's one weight file, its tensors)."""
    path = next(file for file in folder.glob("model*.safetensors*") if file.suffix != ".json")
    with safe_open(str(path), "pt") as file:
        return path.name, {name: file.get_tensor(name) for name in file.keys()}


def write_recipe(folder: Path, drawer: Drawer) -> None:
    """weights.json: how each tensor of the weight file is drawn. Few and small tensors are none of the draws; those are
    stored as they are, in base64."""
    file, tensors = read_weights(folder)
    drawn = {}
    for draw, shape in drawer.draws.values():
        for dtype in TYPES:
            if dtype.is_floating_point:
                drawn[TYPES[dtype], octets(draw.tensor(shape, dtype))] = draw
    rows = []
    # As safetensors orders them: tensors with wide elements first, so that all are aligned.
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])):
        row = {"name": name, "dtype": TYPES[tensor.dtype], "shape": list(tensor.shape)}
        draw = drawn.get((row["dtype"], octets(tensor)))
        rows.append(
            {**row, "draw": draw.to_json()} if draw else {**row, "base64": base64.b64encode(octets(tensor)).decode()}
        )
    write_rows(folder / "weights.json", rows, f'{{"file": "{file}", "tensors": [', "]}")


def safetensors_bytes(tensors: dict[str, tuple[str, list[int], bytes]]) -> bytes:
    """A safetensors file; tests/checkpoint.ts writes the same bytes. Name -> (type, shape, bytes)."""
    header, end = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + len(data)]}
        end += len(data)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(data for _, _, data in tensors.values())


def unpacked(folder: Path) -> dict[str, bytes]:
    """The large files that tests/goldens/unpack.ts makes of a folder's small ones, by name."""
    recipe = json.loads((folder / "weights.json").read_text())
    _, tensors = read_weights(folder)
    files = {recipe["file"]: safetensors_bytes(
        {row["name"]: (row["dtype"], row["shape"], octets(tensors[row["name"]])) for row in recipe["tensors"]}
    )}  # fmt: skip
    for path in sorted(folder.glob("*.packed")):
        values = unpack(path.read_bytes())
        files[f"{path.stem}.safetensors"] = safetensors_bytes(
            {
                name: ("F32", list(value.shape), np.ascontiguousarray(value, "<f4").tobytes())
                for name, value in values.items()
            }
        )
    return files


def write_manifest(folder: Path) -> None:
    """manifest.json: SHA-256 of each file of the folder, and of those that are made from them. Call it last."""

    def digest(data: bytes) -> str:
        return hashlib.sha256(data).hexdigest()

    made = {name: digest(data) for name, data in unpacked(folder).items()}
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    files = {name: digest((folder / name).read_bytes()) for name in names if name not in (*made, "manifest.json")}
    write_json(folder / "manifest.json", {"files": files, "unpacked": made})
