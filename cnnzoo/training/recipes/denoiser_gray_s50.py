"""The denoiser for grey photographs with noise of sigma 50.

    cnnzoo train denoiser.gray_s50

No number yet.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="denoiser.gray_s50",
    data="t91+bsds500+train400",
    epochs=15,
    expects="no number yet",
    batch_size=16,
    crop=64,
    config={"sigma": 50.0},
    start="denoiser.gray_s25",
    bfloat16=True,
    optimizers=adam_cosine(1e-3, "pixels"),
)
