"""The DCGAN on MNIST.

    cnnzoo train dcgan.mnist

An hour on one core; a Fréchet distance of about 5, 8.5 times the train-test distance, density 0.70, coverage 0.85.
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="dcgan.mnist",
    data="mnist",
    epochs=50,
    batch_size=64,
    expects="a Fréchet distance of about 5, density 0.70, coverage 0.85",
    published=(
        "none that compares: Radford et al., 2016, report the error of a nearest-neighbour classifier on samples, and "
        "the Fréchet distance here is in the features of a shipped classifier"
    ),
    optimizers=adam_cosine(5e-4, "discriminator", "generator", beta_1=0.5),
)
