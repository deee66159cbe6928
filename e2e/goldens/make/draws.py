"""Random values that Python and TypeScript (tests/goldens/draws.ts) compute alike, bit for bit.

The weights of the tiny checkpoints are drawn from here, so that the repository stores how each tensor is drawn and
not its values. Only integers, and single operations that IEEE 754 rounds correctly, are used: no logarithm, no sine.
"""

import zlib
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

# The standard deviation of a sum of eight bytes, each uniform in 0..255, whose mean is 1020.
BYTES_STD = np.sqrt(np.float64(8 * (256**2 - 1) / 12))


def stream_of(seed: int, name: str) -> int:
    """The number of the sequence of random words that belongs to a name."""
    return zlib.crc32(f"{seed} {name}".encode())


def mix(x: np.ndarray) -> np.ndarray:
    """Hashes 32-bit words (uint32 arrays wrap around). The constants are those of Chris Wellons' lowbias32."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def words(stream: int, count: int) -> np.ndarray:
    """The first `count` random 32-bit words of a stream."""
    return mix(mix(np.arange(count, dtype=np.uint32)) ^ np.uint32(stream))


def normal(stream: int, count: int) -> np.ndarray:
    """`count` float64 values of mean 0 and standard deviation 1, between -4.9 and 4.9: scaled sums of eight bytes."""
    sums = words(stream, 2 * count).view(np.uint8).reshape(count, 8).sum(axis=1, dtype=np.int64)
    return (sums - 1020) / BYTES_STD


def signs(stream: int, count: int) -> np.ndarray:
    """`count` times 1.0 or -1.0."""
    return np.where(words(stream ^ 0xFFFFFFFF, count) >> np.uint32(31), -1.0, 1.0)


@dataclass(frozen=True)
class Draw:
    """How a tensor is drawn: (mean + std * normal) * factor of its row * random sign + offset, in this order.

    `rows` has (first row, row after the last, factor). With `blend` (n, own, other), the first n rows are own times
    themselves plus other times the next n rows; that comes before all else but mean and std.
    """

    stream: int
    std: float
    mean: float = 0.0
    rows: tuple[tuple[int, int, float], ...] = ()
    blend: tuple[int, float, float] | None = None
    signs: bool = False
    offset: float = 0.0

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """float64 values, not yet rounded to the type in which they are stored."""
        count = int(np.prod(shape))
        values = (self.mean + self.std * normal(self.stream, count)).reshape(shape)
        if self.blend:
            n, own, other = self.blend
            values[:n] = own * values[:n] + other * values[n : 2 * n]
        for begin, end, factor in self.rows:
            values[begin:end] *= factor
        if self.signs:
            values *= signs(self.stream, count).reshape(shape)
        return values + self.offset

    def tensor(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """The values rounded to float32, and from there to `dtype`."""
        return torch.from_numpy(self.values(shape).astype(np.float32)).to(dtype)

    def to_json(self) -> dict:
        """The fields that differ from their defaults."""
        return {key: value for key, value in asdict(self).items() if value or key in ("stream", "std")}


def spread(count: int, low: float, high: float, rng: np.random.Generator) -> list[float]:
    """`count` different values between the bounds, in random order."""
    return [float(value) for value in rng.permutation(np.linspace(low, high, count))]


class Drawer:
    """Draws tensors by name and remembers how."""

    def __init__(self, seed: int):
        self.seed = seed
        self.draws: dict[str, tuple[Draw, tuple[int, ...]]] = {}

    def __call__(self, name: str, shape, std: float, mean: float = 0.0, rows=(), signs: bool = False,
                 offset: float = 0.0, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:  # fmt: skip
        """Returns the tensor called `name`, of `dtype`. A second call with the same name replaces the first."""
        draw = Draw(stream_of(self.seed, name), float(std), float(mean), tuple(rows), signs=signs, offset=float(offset))
        self.draws[name] = draw, tuple(shape)
        return draw.tensor(tuple(shape), dtype)

    def scaled(self, name: str, factor: float) -> torch.Tensor:
        """Draws a tensor again, `factor` times as large."""
        draw, shape = self.draws[name]
        self.draws[name] = (
            replace(draw, std=draw.std * factor, mean=draw.mean * factor, offset=draw.offset * factor),
            shape,
        )
        return self.draws[name][0].tensor(shape, torch.bfloat16)

    def blended(self, name: str, rows: int, own: float, other: float) -> torch.Tensor:
        """Draws a matrix again, its first `rows` rows mixed with as many after them."""
        draw, shape = self.draws[name]
        self.draws[name] = replace(draw, blend=(rows, own, other)), shape
        return self.draws[name][0].tensor(shape, torch.bfloat16)

    def generator(self, name: str) -> np.random.Generator:
        """A random generator for what is no tensor."""
        return np.random.default_rng(stream_of(self.seed, name))
