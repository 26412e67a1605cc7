"""The VAE on statically binarised MNIST.

    cnnzoo train vae.mnist_static

Twenty minutes on one core; importance-weighted NLL (K = 5000) of 85.0 nats.
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="vae.mnist_static",
    data="mnist/static",
    epochs=60,
    expects="importance-weighted NLL (K = 5000) of 85.0 nats",
    published=(
        "none that compares: those of the literature are of another draw of the pixels, which is a file of its own"
    ),
    config={"latent_dim": 32},
    optimizers=adam_cosine(2e-3, "elbo"),
)
