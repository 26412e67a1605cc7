"""Measures bits per pixel and PSNR of a trained `vqvae` and of JPEG (Pillow) on the same test images of CIFAR-10.

    python benchmarks/quality/rate_distortion.py runs/vqvae.cifar10

The model compresses all images to one byte stream, and the images decoded from it are scored; "each alone" is the mean
over twenty streams of one image. JPEG writes each image separately, with the standard tables. "scan" counts the
entropy-coded data only, without the header, which is the same for all images of one quality. PSNR is the mean over
8-bit images; higher is better.
"""

import argparse
import io

import numpy as np
from PIL import Image

import cnnzoo
from cnnzoo.data import load
from cnnzoo.imaging.arrays import to_uint8
from cnnzoo.metrics.reconstruction import psnr_per_image

QUALITIES = (1, 5, 10, 15, 20, 30, 50, 75, 90)
ALONE = 20


def psnr(truth: np.ndarray, made: np.ndarray) -> float:
    return float(psnr_per_image(truth / np.float32(255), made / np.float32(255)).mean())


def row(name: str, bits: float, bare: float | None, decibels: float) -> None:
    print(f"{name:24} {bits:8.3f} {'' if bare is None else f'{bare:.3f}':>8} {decibels:8.2f}")


def jpeg(image: np.ndarray, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def scan_bytes(data: bytes) -> int:
    """Returns the length of the entropy-coded data of a JPEG, without the segments before it and the end marker."""
    at, marker = 2, 0
    while marker != 0xDA:  # start of scan
        marker = data[at + 1]
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return len(data) - at - 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a checkpoint, or the folder of a finished run")
    parser.add_argument("--images", type=int, default=1000, help="the first so many test images (default: 1000)")
    asked = parser.parse_args()
    shipped = asked.model in cnnzoo.list_checkpoints()
    model = cnnzoo.build(asked.model) if shipped else cnnzoo.build("vqvae", weights=asked.model)
    images = load("cifar10", "test", shape=model.image_shape).images[: asked.images]
    pixels = images.shape[1] * images.shape[2]

    data = model.compress(images)
    made = model.decompress(data)
    np.testing.assert_array_equal(made, model.decode(model.encode(images)))
    alone = [len(model.compress(image)) for image in images[:ALONE]]
    print(f"{'':24} {'bits/px':>8} {'scan':>8} {'PSNR':>8}")
    row("vqvae", 8 * len(data) / (len(images) * pixels), None, psnr(images, to_uint8(made)))
    row("vqvae, each alone", 8 * np.mean(alone) / pixels, None, psnr(images, to_uint8(made)))
    for quality in QUALITIES:
        files = [jpeg(image, quality) for image in images]
        read = np.stack([np.asarray(Image.open(io.BytesIO(file))) for file in files])
        whole, scans = np.mean([len(file) for file in files]), np.mean([scan_bytes(file) for file in files])
        row(f"JPEG, quality {quality}", 8 * whole / pixels, 8 * scans / pixels, psnr(images, read))


if __name__ == "__main__":
    main()
