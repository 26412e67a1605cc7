"""The denoiser for grey photographs with noise of sigma 15.

    cnnzoo train denoiser.gray_s15

Seven minutes on one core, from `denoiser.gray_s25`; 31.44 dB on BSD68.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="denoiser.gray_s15",
    data="t91+bsds500+train400",
    epochs=15,
    expects="PSNR of 31.44 dB on BSD68, 32.46 on Set12",
    batch_size=16,
    crop=64,
    config={"sigma": 15.0},
    start="denoiser.gray_s25",
    bfloat16=True,
    optimizers=adam_cosine(1e-3, "pixels"),
)
