"""Scores example networks, trained again in plain Keras for equal wall time, and those of the zoo by one evaluator.

The peers in `peers/` follow the layer lists of widely copied examples: TensorFlow's DCGAN tutorial, the WGAN-GP and the
conditional GAN of Keras's examples, and the dense GAN. They use no code of the zoo except for the split of a curve (see
`peers/loop.py`). Both sides have the same training images, an exclusive core and the same number of minutes, counted
from the second step, since the first one compiles. The time of the zoo includes its work between epochs (states,
contact sheets). To run everything, from the root of the checkout:

    export OMP_NUM_THREADS=1
    for data in mnist fashion_mnist; do
        for arch in dcgan wgan_gp cgan; do
            peer=$arch.$data.npy run=runs/equal/$arch.$data
            labels=$([ $arch = cgan ] && echo --labels)
            taskset -c 0 python benchmarks/quality/peers/$arch.py --data $data --minutes 60 --out $peer
            taskset -c 0 python benchmarks/quality/zoo.py $arch --data $data --minutes 60 --out $run
            python benchmarks/quality/score.py --data $data $labels peer=$peer zoo=$run
        done
    done

The evaluator is `cnnzoo.evaluate`; its scores are means over three sets of 10,000 uint8 samples of each side:

- the Fréchet distance (lower is better) to the 10,000 test images in the features of `lenet.mnist`,
  `cnn.fashion_mnist` or `lenet.cifar10`, and its ratio to the distance of as many training images (the floor);
- density (1 is ideal) and coverage (higher is better);
- with --labels, the label accuracy of the samples by the same classifier, and the coverage of the worst class.

A side is a file of samples, a run folder or the name of a checkpoint, optionally with the prefix `name=`:

    python benchmarks/quality/score.py --data mnist peer=gan.npy gan.mnist

For a curve over the training, a peer with `--every 10` also writes its samples after every ten minutes of CPU time.
`curves.py` plots their scores next to the `curve.json` of the zoo:

    python benchmarks/quality/peers/dcgan.py --data fashion_mnist --minutes 60 --every 10 --out dcgan.npy
    python benchmarks/quality/score.py --data fashion_mnist --curve script.json dcgan-*h.npy
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import cnnzoo
from cnnzoo import checkpoints
from cnnzoo.evaluation.generation import GENERATED, SEEDS
from cnnzoo.imaging.arrays import to_uint8
from cnnzoo.utils.atomic_files import write_json
from cnnzoo.utils.terminal import print_table

COLUMNS = {"frechet": "Fréchet", "frechet_over_floor": "/ floor", "density": "density", "coverage": "coverage"}
OBEDIENCE = {"label_agreement": "labels", "least_coverage": "worst class"}


@dataclass(frozen=True)
class Samples:
    """A generator for `cnnzoo.evaluate` that returns stored samples, concatenated in the order of the seeds."""

    images: np.ndarray
    needs_labels: bool
    architecture: str = "samples"
    task: str = "generate"
    classes: int = 10

    @property
    def image_shape(self) -> tuple[int, ...]:
        return self.images.shape[1:]

    def generate(self, n: int, seed: int) -> np.ndarray:
        start = SEEDS.index(seed) * GENERATED
        return self.images[start : start + n]


def samples_of(source: str) -> np.ndarray:
    """Returns the uint8 samples of all seeds from a file, a run folder or a checkpoint.

    Raises:
        ValueError: The file has too few samples, or samples of another type.
    """
    if source.endswith(".npy"):
        images, least = np.load(source), len(SEEDS) * GENERATED
        if images.dtype != np.uint8 or len(images) < least:
            raise ValueError(
                f"{source} must hold at least {least} images of uint8. Received: {images.dtype} {images.shape}"
            )
        return images
    model = checkpoints.load(source) if Path(source).is_dir() else cnnzoo.build(source)
    return to_uint8(np.concatenate([model.generate(GENERATED, seed=seed) for seed in SEEDS]))


def point(file: Path, data: str, labels: bool) -> dict[str, float]:
    """Returns the scores of a file of samples, and the core-hours in its name."""
    report = cnnzoo.evaluate(Samples(samples_of(str(file)), needs_labels=labels), data, split="validation")
    hours = float(file.stem.rpartition("-")[2].removesuffix("h"))
    return {"core_hours": hours, **{name: report[name].value for name in COLUMNS}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sides", nargs="+", metavar="[NAME=]SIDE", help="samples.npy, a run folder or a checkpoint")
    parser.add_argument("--data", choices=("mnist", "fashion_mnist", "cifar10"), required=True)
    parser.add_argument("--curve", type=Path, metavar="FILE", help="write the scores on validation images to it, JSON")
    parser.add_argument("--labels", action="store_true", help="the samples are of the classes in turn")
    asked = parser.parse_args()

    if asked.curve:
        write_json(asked.curve, [point(Path(side), asked.data, asked.labels) for side in asked.sides])
        return
    columns = COLUMNS | (OBEDIENCE if asked.labels else {})
    rows = []
    for side in asked.sides:
        name, _, source = side.rpartition("=")
        report = cnnzoo.evaluate(Samples(samples_of(source), needs_labels=asked.labels), asked.data)
        rows.append((name or source, *(str(report[column]) for column in columns)))
    print_table(f"{asked.data}, floor {report['frechet_floor']}", ("side", *columns.values()), rows)


if __name__ == "__main__":
    main()
