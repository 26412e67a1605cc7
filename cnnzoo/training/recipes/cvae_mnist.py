"""The conditional VAE on dynamically binarised MNIST.

    cnnzoo train cvae.mnist
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="cvae.mnist",
    data="mnist",
    epochs=25,
    expects="no number yet, since no checkpoint of it is shipped",
    config={"latent_dim": 32, "binarize": True},
    optimizers=adam_cosine(2e-3, "elbo"),
)
