"""Makes `../gguf` of the GGUF folders that `packed.py` writes: small enough for the repository.

    python pack_gguf.py PACKED_DIR ../gguf

Two models are whole, gzipped. Of the others the header stays, and the tensors of up to KEPT_BYTES; the bytes of larger
ones are zeros. `dequantized.json` has the SHA-256 of the exact float32 values of each parameter whose tensors are whole,
`cases.json` the prompts and the greedy ids, and `base/` the small files of the unpacked repository.
"""

import gzip
import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "packed"))

import gguf_file  # noqa: E402

KEPT_BYTES = 2048
WHOLE = {"gguf-smolvlm-Q4_K_M": "smolvlm", "gguf-qwen2_5_vl-every": "qwen2_5_vl-every"}
HOLLOW = {"gguf-qwen3_vl-Q8_0": "qwen3_vl", "gguf-gemma3-Q4_K_M": "gemma3"}
BASE = ["config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json",
        "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]  # fmt: skip
# The names that a server without a list of files is asked for begin with the model's.
RENAMED = {"mmproj-TinyQwen2.5-VL-Q8_0.gguf": "mmproj-TinyQwen2.5-VL-every-Q8_0.gguf"}


def hollow(path: Path) -> tuple[bytes, set]:
    """The file with zeros for large tensors, and the names of these."""
    raw, (_, tensors) = bytearray(path.read_bytes()), gguf_file.read(path)
    emptied = {name for name, t in tensors.items() if t.data.size > KEPT_BYTES}
    whole = bytes(raw)
    at = 0
    for name, tensor in tensors.items():  # in the file's order, aligned
        data = tensor.data.tobytes()
        begin = whole.index(data, at)
        at = begin + len(data)
        if name in emptied:
            raw[begin:at] = bytes(len(data))
    return bytes(raw), emptied


def pack(source: Path, target: Path, is_whole: bool) -> None:
    shutil.rmtree(target, ignore_errors=True)
    (target / "base").mkdir(parents=True)
    emptied = set()
    for path in sorted(source.glob("*.gguf")):
        raw, lost = (path.read_bytes(), set()) if is_whole else hollow(path)
        emptied |= lost
        name = RENAMED.get(path.name, path.name)
        (target / f"{name}.gz").write_bytes(gzip.compress(raw, 9, mtime=0))
    table = json.loads((source / "dequantized.json").read_text())
    kept = {name: entry["sha256"] for name, entry in table.items() if not emptied & set(entry["stored"])}
    (target / "dequantized.json").write_text(json.dumps(kept, indent=0) + "\n")
    shutil.copy(source / "cases.json", target / "cases.json")
    for name in BASE:
        if (source / "base" / name).exists():
            shutil.copy(source / "base" / name, target / "base" / name)


def main() -> None:
    packed, out = Path(sys.argv[1]), Path(sys.argv[2])
    for names, is_whole in ((WHOLE, True), (HOLLOW, False)):
        for name, short in names.items():
            pack(packed / name, out / short, is_whole)


if __name__ == "__main__":
    main()
