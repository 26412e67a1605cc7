"""The fast style network with six paintings.

    cnnzoo train fast_style.paintings

No number yet.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="fast_style.paintings",
    data="t91+bsds500",
    epochs=8,
    batch_size=4,
    crop=128,
    expects="no number yet",
    config={
        "styles": ("composition_vii", "shipwreck", "starry_night", "the_scream", "udnie", "wave"),
        "style_weight": 25.0,
    },
    bfloat16=True,
    optimizers=adam_cosine(2e-3, "painter"),
)
