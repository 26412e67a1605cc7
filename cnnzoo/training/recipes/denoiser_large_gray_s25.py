"""The large denoiser for grey photographs with noise of sigma 25.

    cnnzoo train denoiser_large.gray_s25

No number yet.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="denoiser_large.gray_s25",
    data="t91+bsds500+train400",
    epochs=16,
    expects="no number yet",
    batch_size=16,
    crop=64,
    config={"sigma": 25.0},
    bfloat16=True,
    optimizers=adam_cosine(2e-3, "pixels"),
)
