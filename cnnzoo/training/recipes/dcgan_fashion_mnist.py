"""The DCGAN on Fashion-MNIST.

    cnnzoo train dcgan.fashion_mnist

Ten minutes on two cores.
"""

import keras

from cnnzoo.training.recipes import Recipe


def optimizers(steps: int) -> dict[str, keras.optimizers.Optimizer]:
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, steps)
    return {name: keras.optimizers.Adam(schedule, beta_1=0.5) for name in ("discriminator", "generator")}


RECIPE = Recipe(
    checkpoint="dcgan.fashion_mnist",
    data="fashion_mnist",
    epochs=15,
    batch_size=64,
    expects="a Fréchet distance of at most 5 times the floor, density and coverage of 0.8",
    optimizers=optimizers,
)
