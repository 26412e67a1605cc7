"""Measures the faithfulness of attribution maps: deletion, insertion and randomization of weights.

    python benchmarks/quality/explanations.py

Deletion (lower is better) and insertion (higher is better) are those of `cnnzoo.explain` for the predicted class: means
over test images with the standard error. "random" ranks the pixels randomly, "saliency last" by increasing saliency.

"shuffled" is the mean rank correlation between the maps of the trained network and those of the same network with
shuffled weights, over three seeds. "between those" is the rank correlation between two shuffled networks, whose maps
share only the effects of the image and its edges. A map depends on the model if "shuffled" is about as low as "between
those".
"""

import argparse
from time import perf_counter

import numpy as np

import cnnzoo
from cnnzoo import explain
from cnnzoo.data import load

SEEDS = 3


def mean(scores: np.ndarray) -> str:
    return f"{scores.mean():.4f} ± {scores.std(ddof=1) / np.sqrt(len(scores)):.4f}"


def row(name: str, *cells: str) -> None:
    print(f"{name:28}" + "".join(f"{cell:>20}" for cell in cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default="cnn.mnist", help="a classifier (default: cnn.mnist)")
    parser.add_argument("--data", help="a data set (default: what it was trained on)")
    parser.add_argument("--images", type=int, default=500, help="test images (default: 500)")
    asked = parser.parse_args()
    model = cnnzoo.build(asked.name)
    data = asked.data or cnnzoo.card(asked.name)["data"]["name"]
    images = load(data, "test", shape=model.image_shape).few(asked.images).images
    classes = model.classify(images).argmax(axis=1)
    shuffled = [explain.randomized(model, seed) for seed in range(SEEDS)]

    def scores(name: str, maps: np.ndarray, *cells: str) -> None:
        values = (score(model, images, maps, classes) for score in (explain.deletion, explain.insertion))
        row(name, *map(mean, values), *cells)

    row(f"{asked.name}, {len(images)} images", "deletion", "insertion", "shuffled", "between those", "ms an image")
    scores("random", np.random.default_rng(0).random(images.shape[:3]))
    for name, method in explain.METHODS.items():
        begun = perf_counter()
        maps = method(model, images, classes)
        milliseconds = 1e3 * (perf_counter() - begun) / len(images)
        others = [method(other, images, classes) for other in shuffled]
        alike = np.mean([explain.rank_correlation(maps, other) for other in others])
        between = explain.rank_correlation(others[0], others[1]).mean()
        scores(name, maps, f"{alike:.3f}", f"{between:.3f}", f"{milliseconds:.1f}")
        if name == "saliency":
            scores("saliency last", -maps)


if __name__ == "__main__":
    main()
