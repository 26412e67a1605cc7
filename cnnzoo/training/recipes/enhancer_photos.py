"""The enhancer for photographs, trained to undo wrong exposure, tone and colour of photographs that it also has right.

    cnnzoo train enhancer.photos
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="enhancer.photos",
    data="t91+bsds500",
    epochs=24,
    expects="PSNR",
    batch_size=16,
    crop=256,
    optimizers=adam_cosine(3e-3, "curves"),
)
