"""The DCGAN on CIFAR-10.

    cnnzoo train dcgan.cifar10

Twenty-five minutes on one core; a Fréchet distance of 17.4 (39 times the train-test distance), density 1.25, coverage
0.79.
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="dcgan.cifar10",
    data="cifar10",
    epochs=20,
    batch_size=64,
    expects="a Fréchet distance of 17.4 (39 times the train-test distance), density 1.25, coverage 0.79",
    published=(
        "none that compares: Radford et al., 2016, report the accuracy of a classifier on the discriminator's "
        "features, and the Fréchet distance here is in the features of a shipped classifier"
    ),
    config={"image_shape": (32, 32, 3), "latent_dim": 64},
    bfloat16=True,
    optimizers=adam_cosine(5e-4, "discriminator", "generator", beta_1=0.5),
)
