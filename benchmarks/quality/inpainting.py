"""Measures the benefit of the mask as an input: the inpainter against a plain U-Net without it, trained by one recipe.

    python benchmarks/quality/inpainting.py inpainter.cifar10 --out runs/inpainting

The plain U-Net has the same strides and dilations. Its convolutions have no gates and are wider by a factor of
sqrt(2), for about the same number of parameters. Its input is the image with gray holes, its output the whole image.
Data, steps, optimizers, loss, seeds and holes are the same for both models.

The score is the PSNR over missing pixels on test images, with the fixed masks of `cnnzoo.imaging.masks`; for
photographs, on the center crops of BSD100. A finished model is not trained again.
"""

import argparse
import math
import random
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from cnnzoo.data import training_images
from cnnzoo.evaluation.restoration import evaluation_sets, inpainted_by, inpainting_images
from cnnzoo.imaging import masks
from cnnzoo.imaging.resampling import mirror_to_multiple
from cnnzoo.metrics.reconstruction import hole_mse_per_image
from cnnzoo.models.inpainter import Inpainter, u_net
from cnnzoo.nn.layers import PACKAGE
from cnnzoo.recipes import Recipe, recipe
from cnnzoo.utils.terminal import print_table


def plain(filters: int, strides: int = 1, dilation: int = 1) -> layers.Layer:
    return keras.Sequential([layers.ReLU(), layers.Conv2D(filters, 3, strides, "same", dilation_rate=dilation)])


@keras.saving.register_keras_serializable(PACKAGE)
class PlainUNet(Inpainter):
    """A plain U-Net for inpainting without the mask as an input."""

    def make_network(self) -> keras.Model:
        channels = self.image_shape[2]
        return u_net(channels, channels, round(2**0.5 * self.width), self.depth, plain)

    def made(self, images, mask, training=False):
        height, width = ops.shape(images)[1:3]
        shown = mirror_to_multiple((2.0 * images - 1.0) * (1.0 - mask), self.stride)
        return 0.5 * (self.network(shown, training=training)[:, :height, :width] + 1.0)


def trained(kind: type, plan: Recipe, epochs: int, file: Path) -> Inpainter:
    """Returns a model with the weights in `file`; trains and writes them if the file is missing."""
    random.seed(plan.seed)  # Keras draws unspecified seeds from `random`
    model = kind(**plan.config)
    if file.exists():
        model.load_weights(file)
        return model
    images = training_images(plan.data, plan.split, model.image_shape, plan.crop)
    steps = images.steps_per_epoch(plan.batch_size)
    model.compile(plan.optimizers({phase.name: epochs * steps for phase in model.phases()}))
    stream = images.stream(plan.batch_size, plan.seed)
    model.fit(stream, steps_per_epoch=steps, epochs=epochs, shuffle=False, verbose=2)
    file.parent.mkdir(parents=True, exist_ok=True)
    model.inference_copy().save_weights(file)
    return model


def scores(model: Inpainter, images: np.ndarray) -> list[float]:
    """Returns the PSNR over the holes for each kind of mask."""
    found = []
    for kind in masks.EVALUATED:
        hidden = masks.for_evaluation(images, kind)
        made = inpainted_by(model, images, hidden) / 255
        found.append(-10 * math.log10(hole_mse_per_image(images / 255, made, hidden).mean()))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="of the recipe, inpainter.tag")
    parser.add_argument("--epochs", type=int, help="other than the recipe's")
    parser.add_argument("--out", type=Path, required=True, help="the folder of the weights")
    asked = parser.parse_args()
    plan = recipe(asked.name)
    epochs = asked.epochs or plan.epochs
    rows, found = [], {}
    for title, kind in {"inpainter": Inpainter, "plain U-Net": PlainUNet}.items():
        keras.backend.clear_session()
        file = asked.out / f"{asked.name}.{kind.__name__}.{epochs}.weights.h5"
        model = trained(kind, plan, epochs, file)
        found[title] = scores(model, inpainting_images(model, *evaluation_sets(model, plan.data, "test")).images)
        rows.append((title, f"{model.network.count_params():,}", *(f"{psnr:.2f}" for psnr in found[title])))
    gains = (f"{ours - other:+.2f}" for ours, other in zip(*found.values(), strict=True))
    title = f"{asked.name}, {epochs} epochs: PSNR over holes in dB"
    print_table(title, ("", "parameters", *masks.EVALUATED), [*rows, ("difference", "", *gains)])


if __name__ == "__main__":
    main()
