"""The VAE on dynamically binarised MNIST.

    cnnzoo train vae.mnist

Forty minutes on one core; importance-weighted NLL (K = 5000) of 84.7 nats.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="vae.mnist",
    data="mnist",
    epochs=80,
    expects="importance-weighted NLL (K = 5000) of 84.7 nats",
    config={"latent_dim": 32, "binarize": True},
    optimizers=adam_cosine(2e-3, "elbo"),
)
