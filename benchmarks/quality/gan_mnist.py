"""Scores samples of `gan.mnist` beside those of `peer_gan.py` trained for equal steps, with one evaluator.

    python benchmarks/quality/peer_gan.py --steps 18720 --out peer_gan.npy
    python benchmarks/quality/gan_mnist.py peer_gan.npy

Fréchet distance between 10,000 samples and the 10,000 test images in the features of `lenet.mnist`; lower is better.
"""

import sys

import numpy as np

import cnnzoo
from cnnzoo.data import load
from cnnzoo.metrics.features import frechet_distance


def main() -> None:
    extractor = cnnzoo.build("lenet.mnist")
    real = extractor.features(load("mnist", "test").images)
    sides = {
        "gan.mnist": cnnzoo.build("gan.mnist").generate(10_000, seed=1),
        "plain loop": np.load(sys.argv[1]),
        "train images (the floor)": load("mnist").images[:10_000],
    }
    for name, images in sides.items():
        print(f"{name:26} {frechet_distance(extractor.features(images), real):8.2f}")


if __name__ == "__main__":
    main()
