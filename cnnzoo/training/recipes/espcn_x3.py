"""ESPCN that enlarges 3 times.

    cnnzoo train espcn.x3

No number yet.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="espcn.x3",
    data="t91+bsds500+train400",
    epochs=170,
    expects="no number yet",
    batch_size=16,
    crop=120,
    config={"scale": 3},
    optimizers=adam_cosine(1e-3, "pixels"),
)
