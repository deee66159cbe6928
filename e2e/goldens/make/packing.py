"""expected.packed: the recorded tensors, with no more bits than the tests' tolerances can see.

The file begins with the header's length (8 bytes, little-endian) and the header, a JSON object by tensor name, padded
with spaces to a multiple of 8 bytes. The tensors' bytes follow without gaps. tests/goldens/packing.ts reads it.

- Activations lie on a grid: {"shape", "bits", "low", "step"}. A value is (low + code) * step. `step` is a power of two
  and at most 2^-16 of the tensor's root mean square, so the error is at most 2^-17 (7.6e-6) of it.
- What a processor makes (pixel values, masks, positions) is exact: {"shape", "bits", "table"}. `table` float32 values
  come first; a value is table[code].

Codes have `bits` bits each, lowest bit first.
"""

import json
import math

import numpy as np

GRID_BITS = 16


def pack_codes(codes: np.ndarray, bits: int) -> bytes:
    """`bits` low bits of each code, side by side, filled up to whole bytes."""
    octets = codes.astype("<u4").reshape(-1, 1).view(np.uint8)
    return np.packbits(
        np.unpackbits(octets, axis=1, bitorder="little")[:, :bits].reshape(-1), bitorder="little"
    ).tobytes()


def on_grid(values: np.ndarray) -> tuple[dict, bytes]:
    rms = math.sqrt(float(np.mean(np.square(values))))
    step = 2.0 ** (math.floor(math.log2(rms)) - GRID_BITS) if rms else 1.0
    numbers = np.rint(values / step).astype(np.int64)
    low = int(numbers.min())
    bits = int(numbers.max() - low).bit_length()
    return {"bits": bits, "low": low, "step": step}, pack_codes(numbers - low, bits)


def in_table(values: np.ndarray) -> tuple[dict, bytes]:
    table, codes = np.unique(values.astype("<f4"), return_inverse=True)
    if not np.array_equal(table[codes].reshape(values.shape), values):
        raise ValueError("a processor's output is no float32")
    bits = (len(table) - 1).bit_length()
    return {"bits": bits, "table": len(table)}, table.tobytes() + pack_codes(codes, bits)


def pack(tensors: dict[str, np.ndarray], exact: set[str]) -> bytes:
    """The file's bytes. `exact` names the tensors that keep all their bits."""
    header, parts = {}, []
    for name, values in tensors.items():
        entry, octets = (in_table if name in exact else on_grid)(values)
        header[name] = {"shape": list(values.shape), **entry}
        parts.append(octets)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(parts)


def unpack(file: bytes) -> dict[str, np.ndarray]:
    """The float32 tensors of a packed file."""
    begin = 8 + int.from_bytes(file[:8], "little")
    tensors = {}
    for name, entry in json.loads(file[8:begin]).items():
        count, bits = math.prod(entry["shape"]), entry["bits"]
        table = np.frombuffer(file, "<f4", entry.get("table", 0), begin)
        begin += table.nbytes
        size = -(-count * bits // 8)
        packed = np.frombuffer(file, np.uint8, size, begin)
        begin += size
        rows = np.unpackbits(packed, count=count * bits, bitorder="little").reshape(count, bits)
        codes = (rows.astype(np.int64) << np.arange(bits)).sum(axis=1)
        values = table[codes] if "table" in entry else ((codes + entry["low"]) * entry["step"]).astype(np.float32)
        tensors[name] = values.reshape(entry["shape"])
    return tensors
