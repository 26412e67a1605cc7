"""The enhancer for photographs, trained to undo wrong exposure, tone and colour of photographs that it also has right.

    cnnzoo train enhancer.photos
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="enhancer.photos",
    data="t91+bsds500",
    epochs=24,
    expects="PSNR",
    published=(
        "none that compares: Guo et al., 2020, correct photographs that were taken in too little light, those "
        "here were mis-exposed by formulas"
    ),
    batch_size=16,
    crop=256,
    optimizers=adam_cosine(3e-3, "curves"),
)
