"""ESPCN as published, that enlarges 3 times, trained on the 91 images alone.

    cnnzoo train espcn_classic.x3

No number yet.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="espcn_classic.x3",
    data="t91",
    epochs=700,
    expects="no number yet",
    batch_size=16,
    crop=72,
    config={"scale": 3},
    optimizers=adam_cosine(1e-3, "pixels"),
)
