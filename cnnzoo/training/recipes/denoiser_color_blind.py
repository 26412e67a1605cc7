"""The denoiser for colour photographs with noise of any sigma up to 55.

    cnnzoo train denoiser.color_blind

No number yet.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="denoiser.color_blind",
    data="t91+bsds500",
    epochs=45,
    expects="no number yet",
    batch_size=16,
    crop=64,
    config={"sigma": [0.0, 55.0], "image_shape": [None, None, 3]},
    bfloat16=True,
    optimizers=adam_cosine(2e-3, "pixels"),
)
