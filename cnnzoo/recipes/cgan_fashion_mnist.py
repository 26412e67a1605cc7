"""The conditional GAN on Fashion-MNIST.

    cnnzoo train cgan.fashion_mnist

Half an hour on one core; a Fréchet distance of 14 times the train-test distance, 87 % of samples of the class asked
for.
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="cgan.fashion_mnist",
    data="fashion_mnist",
    epochs=25,
    batch_size=64,
    expects="a Fréchet distance of 14 times the train-test distance, 87 % of samples of the class asked for",
    published=(
        "none that compares: Mirza and Osindero, 2014, have no Fashion-MNIST, which is younger, and the Fréchet "
        "distance here is in the features of a shipped classifier"
    ),
    optimizers=adam_cosine(5e-4, "discriminator", "generator", beta_1=0.5),
)
