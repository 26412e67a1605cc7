"""Example images for the programs of the README, from those inside scikit-learn and scikit-image."""

import io
from pathlib import Path

import numpy as np

from cnnzoo.data.sources import read, shipped_photographs
from cnnzoo.utils.atomic_files import write_bytes

SIDE = 256  # of the photographs, in pixels


def write_examples(folder: str | Path = ".") -> list[Path]:
    """Writes example images into a folder, which is created if necessary.

    three.png and eight.png are scans of digits. photo.jpg is a photograph, noisy.png is the same with Gaussian noise of
    sigma 25, torn.png with strokes across it, and mask.png is the mask of the strokes. photos/ contains photographs,
    and crops of them in photos/train and photos/test.

    Returns:
        The files.

    Raises:
        ValueError: One of the files exists; then none is written.
    """
    folder = Path(folder)
    pictures = {folder / name: pixels for name, pixels in _pictures().items()}
    if there := [path for path in pictures if path.exists()]:
        more = f", and {len(there) - 1} more of the examples" if len(there) > 1 else ""
        raise ValueError(f"`folder` must hold none of the examples yet. Received: {there[0]}{more}")
    for path, pixels in pictures.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, _encoded(pixels, path.suffix))
    return list(pictures)


def _pictures() -> dict[str, np.ndarray]:
    """All example images by file name."""
    found: dict[str, np.ndarray] = {}
    scans, labels, _ = read("digits", "test", None)
    for digit, name in ((3, "three"), (8, "eight")):
        found[f"{name}.png"] = scans[labels == digit][0, :, :, 0]
    photographs = {name: _small(pixels) for split in ("train", "test") for name, pixels in _of(split).items()}
    photograph = photographs["astronaut"]
    noise = np.random.default_rng(0).normal(0, 25, photograph.shape)
    strokes = _strokes()
    found["photo.jpg"] = photograph
    found["noisy.png"] = np.clip(np.rint(photograph + noise), 0, 255).astype(np.uint8)
    found["torn.png"] = np.where(strokes[..., None], 255, photograph).astype(np.uint8)
    found["mask.png"] = (255 * strokes).astype(np.uint8)
    found |= {f"photos/{name}.jpg": pixels for name, pixels in photographs.items()}
    for split in ("train", "test"):
        crops, owners, names = read("photos", split, (64, 64, 3))
        found |= {
            f"photos/{split}/{names[owner]}-{i:03d}.png": crop
            for i, (crop, owner) in enumerate(zip(crops, np.asarray(owners), strict=True))
        }
    return found


def _of(split: str) -> dict[str, np.ndarray]:
    """The color photographs of a split."""
    return {name: pixels for name, pixels in shipped_photographs(split).items() if pixels.shape[2] == 3}


def _small(pixels: np.ndarray) -> np.ndarray:
    """The center square of a photograph, resized to `SIDE` pixels."""
    from PIL import Image

    side = min(pixels.shape[:2])
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    square = Image.fromarray(pixels[top : top + side, left : left + side])
    return np.asarray(square.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _strokes() -> np.ndarray:
    """Mask of strokes across an image: bool (SIDE, SIDE)."""
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (SIDE, SIDE))
    draw = ImageDraw.Draw(canvas)
    for i in range(4):
        start = SIDE * (2 * i + 1) // 8
        draw.line((start, 0, start + SIDE // 8 * (-1) ** i, SIDE), fill=255, width=5)
    return np.asarray(canvas) > 0


def _encoded(pixels: np.ndarray, suffix: str) -> bytes:
    """The content of a .jpg or .png file."""
    from PIL import Image

    file = io.BytesIO()
    options = {"quality": 97, "subsampling": 0} if suffix == ".jpg" else {}
    Image.fromarray(pixels).save(file, {".jpg": "JPEG", ".png": "PNG"}[suffix], **options)
    return file.getvalue()
