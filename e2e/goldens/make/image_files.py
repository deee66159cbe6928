"""Records what Pillow makes of the files in e2e/goldens/image-files, and draws those that Pillow can't write.

    python e2e/goldens/make/image_files.py [--draw]

`image-files.json` has one entry a file: `reference` is what Pillow makes of it, as transformers would see it (null: it can't
be read). `expected` is what a page and Node must make of it where that is something else (null: they refuse it), and
`why` says so; both are kept as they are, for Chromium decides them. Samples may differ by `tolerance`. `--draw` also writes the files of `DRAWN` anew.
"""

import hashlib
import io
import json
import struct
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, ImageOps

GOLDENS = Path(__file__).resolve().parent.parent
FOLDER = GOLDENS / "image-files"
SAMPLED = 61  # of an image that is not exact, each of so many bytes is kept
WIDTH, HEIGHT = 13, 9  # rows that are filled up to four bytes at every depth

# The eight colours of the drawn palettes, as RGB.
PALETTE = [(0, 0, 0), (255, 0, 0), (0, 200, 0), (30, 60, 255), (255, 255, 0), (0, 255, 255), (200, 0, 200), (250, 250, 250)]


def _indices() -> np.ndarray:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return (x // 3 + 2 * (y // 2)) % 8


def _rgba() -> np.ndarray:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([x * 19, y * 28, (x * y * 5) % 256, (x * 20 + y) % 256], -1).astype(np.uint8)


def _rows(values: list[bytes]) -> bytes:
    """Rows from the bottom up, each filled up to a multiple of four bytes."""
    return b"".join(row + bytes(-len(row) % 4) for row in reversed(values))


def _packed(bits: int) -> bytes:
    rows = []
    for row in _indices() % 2**bits:
        text = "".join(f"{value:0{bits}b}" for value in row)
        text += "0" * (-len(text) % 8)
        rows.append(bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8)))
    return _rows(rows)


def _pixels(bits: int, masks: tuple[int, int, int, int]) -> bytes:
    """Pixels of 16 or 32 bits, each channel in its mask."""
    rows = []
    for row in _rgba():
        words = []
        for pixel in row:
            word = 0
            for value, mask in zip(pixel.tolist(), masks):
                if mask:
                    low, length = (mask & -mask).bit_length() - 1, bin(mask).count("1")
                    word |= round(value * (2**length - 1) / 255) << low
            words.append(word)
        rows.append(struct.pack(f"<{WIDTH}{'H' if bits == 16 else 'I'}", *words))
    return _rows(rows)


def _bmp(bits, data, *, header=40, compression=0, masks=(), colours=None, height=HEIGHT, used=0, gap=0, icon=False):
    """A BMP file; in an icon without its file header, and of twice the height."""
    if header == 12:
        info = struct.pack("<IHHHH", 12, WIDTH, height, 1, bits)
        palette = b"".join(bytes((b, g, r)) for r, g, b in colours or [])
    else:
        info = struct.pack("<IiiHHIIiiII", header, WIDTH, height, 1, bits, compression, len(data), 0, 0, used, 0)
        info += struct.pack(f"<{len(masks)}I", *masks)
        info += bytes(max(0, header - len(info)))
        palette = b"".join(bytes((b, g, r, 0)) for r, g, b in colours or [])
    at = 14 + len(info) + len(palette) + gap
    file = b"" if icon else struct.pack("<2sIHHI", b"BM", at + len(data), 0, 0, at)
    return file + info + palette + bytes(gap) + data


FULL = PALETTE + [(0, 0, 0)] * 248
# Runs, and pixels of their own: rows that repeat, since what is skipped is up to the decoder.
RLE8 = bytes([5, 1, 0, 4, 2, 3, 4, 5, 4, 6, 0, 0, 13, 7, 0, 0, 0, 3, 1, 2, 3, 0, 10, 4, 0, 0] * 4 + [13, 2, 0, 1])
RLE4 = bytes([5, 0x12, 0, 5, 0x34, 0x56, 0x70, 0, 3, 0x77, 0, 0, 13, 0x45, 0, 0] * 4 + [13, 0x21, 0, 1])
RGB32, RGB10 = (0xFF0000, 0xFF00, 0xFF, 0), (0x3FF00000, 0xFFC00, 0x3FF, 0)
ARGB = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
R565, R555, ARGB4 = (0xF800, 0x07E0, 0x001F, 0), (0x7C00, 0x03E0, 0x001F, 0), (0x0F00, 0x00F0, 0x000F, 0xF000)


def _late_alpha() -> bytes:
    """Alpha that is 0 in the rows that are read first."""
    data = bytearray(_pixels(32, ARGB))
    for i in range(3, 4 * WIDTH * 4, 4):
        data[i] = 0
    return bytes(data)


def _mask() -> bytes:
    """An icon's mask: a diagonal is transparent."""
    rows = []
    for y in range(HEIGHT):
        word = 1 << (15 - y)
        rows.append(word.to_bytes(2, "big"))
    return _rows(rows)


def _icon(images: list[tuple[int, bytes]], kind: int = 1) -> bytes:
    """An icon or cursor of images, each with its bits per pixel."""
    at = 6 + 16 * len(images)
    entries, data = b"", b""
    for bits, image in images:
        width, height = _size_of(image)
        entries += struct.pack("<BBBBHHII", width, height, 0, 0, 1 if kind == 1 else 3, bits if kind == 1 else 4, len(image), at)
        data += image
        at += len(image)
    return struct.pack("<HHH", 0, kind, len(images)) + entries + data


def _size_of(image: bytes) -> tuple[int, int]:
    if image[:4] == b"\x89PNG":
        return struct.unpack(">II", image[16:24])
    width, height = struct.unpack("<ii", image[4:12])
    return width, height // 2


def _png(array: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG", **options)
    return file.getvalue()


def _chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    at, found = 8, []
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        found.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def _joined(chunks: list[tuple[bytes, bytes]]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _animated_beside_default() -> bytes:
    """An APNG whose default image is no frame, and whose first frame is a part of the image."""
    default, frame = _chunks(_png(_rgba())), _chunks(_png(_rgba()[::-1][:5, :7].copy()))
    control = struct.pack(">IIIIIHHBB", 0, 7, 5, 4, 3, 1, 10, 0, 0)
    pixels = b"".join(data for kind, data in frame if kind == b"IDAT")
    return _joined(
        [default[0], (b"acTL", struct.pack(">II", 1, 0))]
        + [chunk for chunk in default if chunk[0] == b"IDAT"]
        + [(b"fcTL", control), (b"fdAT", struct.pack(">I", 1) + pixels), (b"IEND", b"")]
    )


def _interlaced(bits: int) -> bytes:
    """A PNG in Adam7's seven passes, which Pillow does not write."""
    pixels = _rgba()[..., :3].astype(np.uint16) * (257 if bits == 16 else 1)
    raw = b""
    for x, y, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        for row in pixels[y::dy, x::dx]:
            if row.size:
                raw += b"\0" + row.astype(">u2" if bits == 16 else np.uint8).tobytes()
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, 2, 0, 0, 1)
    return _joined([(b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")])


def _small_frame_gif() -> bytes:
    """A GIF whose first frame is a part of the image."""
    file = io.BytesIO()
    image = Image.fromarray(_indices().astype(np.uint8)[:5, :6].copy(), "P")
    image.putpalette(sum(PALETTE, ()))
    image.save(file, "GIF")
    data = bytearray(file.getvalue())
    data[6:10] = struct.pack("<HH", WIDTH, HEIGHT)
    at = data.index(b"\x2c", 13 + 3 * 2 ** ((data[10] & 7) + 1))  # the frame's descriptor
    data[at + 1 : at + 5] = struct.pack("<HH", 4, 2)
    return bytes(data)


def _jpeg_of_inks(transform: int | None) -> bytes:
    """A JPEG of four inks whose Adobe marker has another transform, or that has no such marker."""
    data = (FOLDER / "jpg_cmyk_adobe.jpg").read_bytes()
    at = data.index(b"\xff\xee\x00\x0eAdobe")
    if transform is None:
        return data[:at] + data[at + 16 :]
    return data[: at + 15] + bytes([transform]) + data[at + 16 :]


DRAWN = {
    "bmp_os2.bmp": lambda: _bmp(8, _packed(8), header=12, colours=FULL),
    "bmp_2bit.bmp": lambda: _bmp(2, _packed(2), colours=PALETTE[:4]),
    "bmp_4bit.bmp": lambda: _bmp(4, _packed(4), colours=PALETTE + PALETTE),
    "bmp_used.bmp": lambda: _bmp(8, _packed(8), colours=PALETTE[:5], used=5),
    "bmp_rle8.bmp": lambda: _bmp(8, RLE8, compression=1, colours=FULL),
    "bmp_rle4.bmp": lambda: _bmp(4, RLE4, compression=2, colours=PALETTE + PALETTE),
    "bmp_555.bmp": lambda: _bmp(16, _pixels(16, R555)),
    "bmp_565.bmp": lambda: _bmp(16, _pixels(16, R565), compression=3, masks=R565[:3]),
    "bmp_v4_argb4.bmp": lambda: _bmp(16, _pixels(16, ARGB4), header=108, compression=3, masks=ARGB4),
    "bmp_10bit.bmp": lambda: _bmp(32, _pixels(32, RGB10), compression=3, masks=RGB10[:3]),
    "bmp_v3_alpha.bmp": lambda: _bmp(32, _pixels(32, ARGB)),
    "bmp_v3_masks_alpha.bmp": lambda: _bmp(32, _pixels(32, ARGB), header=56, compression=3, masks=ARGB),
    "bmp_v4_alpha.bmp": lambda: _bmp(32, _pixels(32, ARGB), header=108, compression=3, masks=ARGB),
    "bmp_v4_late_alpha.bmp": lambda: _bmp(32, _late_alpha(), header=108, compression=3, masks=ARGB),
    "bmp_v5_no_alpha.bmp": lambda: _bmp(32, _pixels(32, RGB32), header=124, compression=3, masks=ARGB),
    "bmp_topdown.bmp": lambda: _bmp(8, _packed(8), colours=FULL, height=-HEIGHT),
    "bmp_gap.bmp": lambda: _bmp(8, _packed(8), colours=FULL, gap=6),
    "bad_bmp_trunc.bmp": lambda: _bmp(8, _packed(8)[:-1], colours=FULL),
    "bad_bmp_header.bmp": lambda: _bmp(8, _packed(8), colours=FULL)[:30],
    "bad_bmp_depth.bmp": lambda: _bmp(7, _packed(8), colours=FULL),
    "ico_mask.ico": lambda: _icon([(4, _bmp(4, _packed(4) + _mask(), colours=PALETTE + PALETTE, height=2 * HEIGHT, icon=True))]),
    "ico_alpha.ico": lambda: _icon([(32, _bmp(32, _pixels(32, ARGB) + _mask(), height=2 * HEIGHT, icon=True))]),
    "ico_no_alpha.ico": lambda: _icon([(32, _bmp(32, _pixels(32, RGB32) + _mask(), height=2 * HEIGHT, icon=True))]),
    "ico_several.ico": lambda: _icon(
        [
            (4, _bmp(4, _packed(4) + _mask(), colours=PALETTE + PALETTE, height=2 * HEIGHT, icon=True)),
            (32, _bmp(32, _pixels(32, ARGB) + _mask(), height=2 * HEIGHT, icon=True)),
            (32, _png(_rgba()[:5, :7].copy())),
        ]
    ),
    "cursor.cur": lambda: _icon([(4, _bmp(4, _packed(4) + _mask(), colours=PALETTE + PALETTE, height=2 * HEIGHT, icon=True))], kind=2),
    "apng_part.png": _animated_beside_default,
    "png_interlaced.png": lambda: _interlaced(8),
    "png_interlaced16.png": lambda: _interlaced(16),
    "gif_part.gif": _small_frame_gif,
    "jpg_cmyk_plain.jpg": lambda: _jpeg_of_inks(None),
    "jpg_ycck.jpg": lambda: _jpeg_of_inks(2),
}


def reference(path: Path) -> dict | None:
    """What Pillow makes of a file, upright and over white; null if it refuses it."""
    try:
        image = ImageOps.exif_transpose(Image.open(path))
        if image.has_transparency_data:
            white = Image.new("RGBA", image.size, (255, 255, 255, 255))
            image = Image.alpha_composite(white, image.convert("RGBA"))
        rgb = np.array(image.convert("RGB"))
    except Exception:
        return None
    size = {"width": rgb.shape[1], "height": rgb.shape[0]}
    # Decoders of AV1 convert its colours with other arithmetic, each its own.
    if path.suffix == ".avif":
        return {**size, "samples": rgb.reshape(-1)[::SAMPLED].tolist()}
    return {**size, "rgb_sha256": hashlib.sha256(rgb.tobytes()).hexdigest()}


def main() -> None:
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    if "--draw" in sys.argv:
        for name, draw in DRAWN.items():
            (FOLDER / name).write_bytes(draw())
    path = GOLDENS / "image-files.json"
    kept = {entry["file"]: entry for entry in json.loads(path.read_text())} if path.exists() else {}
    entries = []
    for file in sorted(FOLDER.iterdir()):
        own = {key: value for key, value in kept.get(file.name, {}).items() if key in ("expected", "tolerance", "why")}
        entries.append({"file": file.name, "reference": reference(file), **own})
    path.write_text(json.dumps(entries, indent=2) + "\n")


if __name__ == "__main__":
    main()
