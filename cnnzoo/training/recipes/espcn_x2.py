"""ESPCN that enlarges 2 times.

    cnnzoo train espcn.x2

No number yet.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="espcn.x2",
    data="t91+bsds500+train400",
    epochs=110,
    expects="no number yet",
    batch_size=16,
    crop=96,
    config={"scale": 2},
    optimizers=adam_cosine(1e-3, "pixels"),
)
