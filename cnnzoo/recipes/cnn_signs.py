"""The small CNN on photographs of hand signs. It is also the feature extractor that scores the generators of signs.

    cnnzoo train cnn.signs

A few minutes on one core; test accuracy about 96 %.
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="cnn.signs",
    data="signs",
    epochs=80,
    batch_size=32,
    expects="test accuracy about 96 %",
    published="none: neither the network nor a split of these photographs is of a paper",
    config={
        "image_shape": (64, 64, 3),
        "dropout": 0.1,
        "augmentation": {"rotation": 10.0, "shift": 0.08, "zoom": 0.1, "mirror": True},
    },
    optimizers=adam_cosine(1e-3, "classifier"),
)
