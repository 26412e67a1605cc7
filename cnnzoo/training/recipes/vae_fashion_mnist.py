"""The VAE on Fashion-MNIST, with a Bernoulli likelihood of the grey values.

    cnnzoo train vae.fashion_mnist

Ten minutes on two cores; the bound is in nats of the Bernoulli likelihood, which suits pictures and no comparison.
"""

import keras

from cnnzoo.training.recipes import Recipe


def optimizers(steps: int) -> dict[str, keras.optimizers.Optimizer]:
    return {"elbo": keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps))}


RECIPE = Recipe(
    checkpoint="vae.fashion_mnist",
    data="fashion_mnist",
    epochs=40,
    expects="reconstructions below half of the error of a PCA with as many components",
    config={"latent_dim": 32},
    optimizers=optimizers,
)
