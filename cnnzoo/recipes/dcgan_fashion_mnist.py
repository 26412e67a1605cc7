"""The DCGAN on Fashion-MNIST.

    cnnzoo train dcgan.fashion_mnist

Twenty minutes on one core; a Fréchet distance of about 14, density 0.88, coverage 0.74.
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="dcgan.fashion_mnist",
    data="fashion_mnist",
    epochs=20,
    batch_size=64,
    expects="a Fréchet distance of about 14, density 0.88, coverage 0.74",
    published=(
        "none that compares: Radford et al., 2016, have no Fashion-MNIST, which is younger, and the Fréchet distance "
        "here is in the features of a shipped classifier"
    ),
    optimizers=adam_cosine(5e-4, "discriminator", "generator", beta_1=0.5),
)
