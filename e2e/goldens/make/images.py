"""Code-generated test images: every file format, odd size and colour mode the runtime must decode."""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

# name -> (kind, width, height). The second column of sizes is used by odd-numbered variants.
IMAGES = {
    "shapes.png": ("shapes", (96, 64), (112, 80)),
    "gradient.png": ("gradient", (70, 110), (90, 57)),
    "text.png": ("text", (200, 60), (151, 73)),
    "noise.png": ("noise", (33, 47), (51, 29)),
    "wide.png": ("shapes", (300, 80), (281, 64)),
    "tall.png": ("gradient", (61, 260), (77, 233)),
    "odd.png": ("text", (123, 77), (99, 131)),
    "tiny.png": ("shapes", (16, 16), (17, 19)),
    "large.png": ("mixed", (600, 420), (430, 590)),
    "exact.png": ("mixed", (570, 380), (570, 380)),
    "alpha.png": ("alpha", (90, 90), (75, 101)),
    "gray.png": ("gray", (80, 50), (45, 88)),
    "photo.jpg": ("mixed", (160, 120), (133, 170)),
    "rotated.jpg": ("rotated", (140, 90), (120, 76)),
    "flat.webp": ("shapes", (128, 96), (97, 121)),
}


def _gradient(rng, width, height):
    """Smooth two-axis colour ramp with a low-frequency wave per channel."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    channels = []
    for _ in range(3):
        a, b, phase = rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(0, 6.28)
        wave = np.sin(phase + 6.28 * rng.uniform(0.5, 2.5) * x / width + 6.28 * rng.uniform(0.5, 2.5) * y / height)
        channels.append(127.5 + 70 * (a * (2 * x / width - 1) + b * (2 * y / height - 1)) + 55 * wave)
    return Image.fromarray(np.clip(np.stack(channels, -1), 0, 255).round().astype(np.uint8))


def _shapes(rng, image, count=6):
    """Draws filled ellipses, rectangles, lines and triangles on the image."""
    draw = ImageDraw.Draw(image)
    width, height = image.size
    for i in range(count):
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        x0, x1 = sorted(int(v) for v in rng.integers(0, width, 2))
        y0, y1 = sorted(int(v) for v in rng.integers(0, height, 2))
        if i % 4 == 0:
            draw.ellipse((x0, y0, x1, y1), fill=colour)
        elif i % 4 == 1:
            draw.rectangle((x0, y0, x1, y1), fill=colour)
        elif i % 4 == 2:
            draw.line((x0, y1, x1, y0), fill=colour, width=1 + min(width, height) // 16)
        else:
            draw.polygon([(x0, y1), (x1, y1), ((x0 + x1) // 2, y0)], fill=colour)
    return image


def _text(rng, image):
    """Writes rows of letters and digits."""
    draw = ImageDraw.Draw(image)
    width, height = image.size
    letters = "ABCDEFGHJKLMNPRSTUVWXYZ abcdefghknrstuz 0123456789 .,!?"
    for y in range(2, height - 8, 13):
        line = "".join(letters[int(i)] for i in rng.integers(0, len(letters), max(3, width // 7)))
        draw.text((3, y), line, fill=tuple(int(v) for v in rng.integers(0, 110, 3)), font=ImageFont.load_default())
    return image


def _noise(rng, width, height):
    """Uniform noise: the hardest case for a resampling filter."""
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def _mixed(rng, width, height):
    """Gradient, shapes, text and a noise corner in one image."""
    image = _text(rng, _shapes(rng, _gradient(rng, width, height), 10))
    image.paste(_noise(rng, max(4, width // 5), max(4, height // 5)), (width // 2, height // 3))
    return image


def upright_rgb(path: Path) -> np.ndarray:
    """Decoded pixels as the reference sees them: EXIF-upright, transparency over white, (height, width, 3) uint8."""
    image = ImageOps.exif_transpose(Image.open(path))
    if "A" in image.getbands():
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return np.array(image.convert("RGB"))


def make_images(folder: Path, seed: int, variant: int) -> list[dict]:
    """Writes all images to `folder` and describes each: stored size and mode, upright size, hash of its RGB bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    listing = []
    for index, (name, (kind, *sizes)) in enumerate(IMAGES.items()):
        rng = np.random.default_rng([seed, index])
        width, height = sizes[variant % 2]
        note = kind
        if kind == "shapes":
            image = _shapes(rng, _gradient(rng, width, height))
        elif kind == "gradient":
            image = _gradient(rng, width, height)
        elif kind == "text":
            image = _text(rng, Image.new("RGB", (width, height), tuple(int(v) for v in rng.integers(170, 256, 3))))
        elif kind == "noise":
            image = _noise(rng, width, height)
        elif kind in ("mixed", "rotated"):
            image = _mixed(rng, width, height)
        elif kind == "alpha":
            image = _shapes(rng, _gradient(rng, width, height))
            image.putalpha(_gradient(rng, width, height).convert("L"))
            note = "RGBA; the reference composites it over white"
        elif kind == "gray":
            image = _shapes(rng, _gradient(rng, width, height)).convert("L")
        path = folder / name
        if name == "rotated.jpg":
            exif = Image.Exif()
            exif[0x0112] = 6  # shown rotated by 90 degrees clockwise
            image.save(path, quality=95, subsampling=0, exif=exif)
            note = "EXIF orientation 6; upright size is height x width"
        elif name.endswith(".jpg"):
            image.save(path, quality=95, subsampling=0)
        elif name.endswith(".webp"):
            image.save(path, lossless=True)
            note = "lossless WebP"
        else:
            image.save(path, optimize=True)
        pixels = upright_rgb(path)
        listing.append({
            "file": name, "width": width, "height": height, "mode": image.mode, "note": note,
            "upright_width": pixels.shape[1], "upright_height": pixels.shape[0],
            "rgb_sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
        })  # fmt: skip
    return listing
