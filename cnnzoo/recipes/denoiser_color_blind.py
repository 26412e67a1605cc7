"""The denoiser for colour photographs with noise of any sigma up to 55.

    cnnzoo train denoiser.color_blind

Twenty-five minutes on one core; 32.61, 29.91 and 26.29 dB on BSD100, in RGB, at sigma 15, 25 and 50.
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="denoiser.color_blind",
    data="t91+bsds500",
    epochs=45,
    expects="PSNR of 32.61, 29.91 and 26.29 dB on BSD100 at sigma 15, 25 and 50",
    published="none given: figures for colour are on CBSD68, which is another selection of photographs than BSD100",
    batch_size=16,
    crop=64,
    config={"sigma": [0.0, 55.0], "image_shape": [None, None, 3]},
    bfloat16=True,
    optimizers=adam_cosine(2e-3, "pixels"),
)
