"""ESPCN that enlarges 4 times, trained against a discriminator.

    cnnzoo train espcn_gan.x4

It begins with `espcn.x4`. No number yet.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="espcn_gan.x4",
    data="t91+bsds500+train400",
    epochs=20,
    expects="no number yet",
    batch_size=16,
    crop=128,
    start="espcn.x4",
    optimizers=adam_cosine(2e-4, "discriminator", "generator"),
)
