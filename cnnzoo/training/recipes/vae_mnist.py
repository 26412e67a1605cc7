"""The VAE on dynamically binarised MNIST.

    cnnzoo train vae.mnist

Half an hour on two cores; importance-weighted NLL (K = 5000) at most 86.8 nats.
"""

import keras

from cnnzoo.training.recipes import Recipe


def optimizers(steps: int) -> dict[str, keras.optimizers.Optimizer]:
    return {"elbo": keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps))}


RECIPE = Recipe(
    checkpoint="vae.mnist",
    data="mnist",
    epochs=80,
    expects="importance-weighted NLL (K = 5000) at most 86.8 nats",
    config={"latent_dim": 32, "binarize": True},
    optimizers=optimizers,
)
