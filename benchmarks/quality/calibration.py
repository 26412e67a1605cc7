"""Measures the quality loss of int8 calibrated on images of installed packages, and on training images.

    python benchmarks/quality/calibration.py espcn.x2 lenet.mnist cnn.fashion_mnist

An export without access to the training data is calibrated on images of installed packages; see
`cnnzoo.export.litert.calibration_images`.
"""

import argparse
import warnings
from unittest import mock

import cnnzoo
from cnnzoo.data import DataNotFound
from cnnzoo.export import litert
from cnnzoo.export.quantization_loss import litert_costs
from cnnzoo.utils.terminal import print_table


def cost(name: str) -> float:
    """Returns the loss of accuracy or PSNR in int8."""
    costs = litert_costs(cnnzoo.build(name), cnnzoo.card(name)["data"]["name"])
    return next(score.value for score in costs if "int8" in score.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="+", help="checkpoints whose training images are on this machine")
    rows = []
    for name in parser.parse_args().name:
        usual = cost(name)
        with mock.patch.object(litert, "training_images", side_effect=DataNotFound()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stand_in = cost(name)
        rows.append((name, f"{usual:.3f}", f"{stand_in:.3f}"))
        print(*rows[-1], flush=True)
    print_table("", ("checkpoint", "on training images", "on images of packages"), rows)


if __name__ == "__main__":
    main()
