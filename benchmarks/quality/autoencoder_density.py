"""Measures the Fréchet distance of samples of `autoencoder.mnist` for two distributions of latent vectors.

    python benchmarks/quality/autoencoder_density.py [SHEET.png]

The distributions are N(0, I) and a mixture of ten Gaussians fitted to the codes of the training images. The Fréchet
distance is between 10,000 samples and the 10,000 test images, in the features of `lenet.mnist`; lower is better. The
last row is the train-test distance, of 10,000 training images. With a path, a sheet of 64 samples of each distribution
is written to it, N(0, I) on top.
"""

import argparse

import numpy as np

import cnnzoo
from cnnzoo.data import load
from cnnzoo.imaging.arrays import contact_sheet
from cnnzoo.imaging.files import save_png
from cnnzoo.latent.mixture import CodeMixture
from cnnzoo.metrics.features import frechet_distance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sheet", nargs="?", metavar="SHEET.png", help="for samples of both distributions")
    path = parser.parse_args().sheet
    model, extractor = cnnzoo.build("autoencoder.mnist"), cnnzoo.build("lenet.mnist")
    train = load("mnist").images
    real = extractor.features(load("mnist", "test").images)
    noise = np.random.default_rng(1).standard_normal((10_000, model.latent_dim), dtype=np.float32)
    sides = {
        "N(0, I)": model.decode(noise),
        "mixture of 10 Gaussians": CodeMixture.fit(model, train).generate(model, 10_000, seed=1),
        "train images (the floor)": train[:10_000],
    }
    for name, images in sides.items():
        print(f"{name:26} {frechet_distance(extractor.features(images), real):8.2f}")
    if path:
        first, second, _ = sides.values()
        save_png(path, contact_sheet(np.concatenate([first[:64], second[:64]]), 16))


if __name__ == "__main__":
    main()
