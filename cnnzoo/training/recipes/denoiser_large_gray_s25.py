"""The large denoiser for grey photographs with noise of sigma 25.

    cnnzoo train denoiser_large.gray_s25

Twenty-five minutes on one core, beside another training; 29.10 dB on BSD68.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="denoiser_large.gray_s25",
    data="t91+bsds500+train400",
    epochs=16,
    expects="PSNR of 29.10 dB on BSD68, 30.24 on Set12",
    batch_size=16,
    crop=64,
    config={"sigma": 25.0},
    bfloat16=True,
    optimizers=adam_cosine(2e-3, "pixels"),
)
