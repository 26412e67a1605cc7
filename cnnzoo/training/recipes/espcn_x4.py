"""ESPCN that enlarges 4 times.

    cnnzoo train espcn.x4

No number yet.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="espcn.x4",
    data="t91+bsds500+train400",
    epochs=120,
    expects="no number yet",
    batch_size=16,
    crop=160,
    config={"scale": 4},
    start="espcn.x2",
    optimizers=adam_cosine(1e-3, "pixels"),
)
