"""The VAE with a learned prior, a VampPrior, on statically binarised MNIST.

    cnnzoo train vae.mnist_vampprior

Half an hour on one core; importance-weighted NLL (K = 5000) of 83.0 nats.
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="vae.mnist_vampprior",
    data="mnist/static",
    epochs=50,
    expects="importance-weighted NLL (K = 5000) of 83.0 nats",
    published=(
        "none that compares: those of Tomczak and Welling, 2018, table 1, are of another draw of the pixels, which is "
        "a file of its own"
    ),
    config={"latent_dim": 32, "prior": "vampprior", "pseudo_inputs": 300},
    optimizers=adam_cosine(2e-3, "elbo"),
)
