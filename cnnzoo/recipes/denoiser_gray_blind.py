"""The denoiser for grey photographs with noise of any sigma up to 55.

    cnnzoo train denoiser.gray_blind

Ten minutes on one core, from `denoiser.gray_s25`; 31.01, 28.68 and 25.77 dB on BSD68 at sigma 15, 25 and 50.
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="denoiser.gray_blind",
    data="t91+bsds500+train400",
    epochs=20,
    expects="PSNR of 31.01, 28.68 and 25.77 dB on BSD68 at sigma 15, 25 and 50",
    published=(
        "31.61, 29.16 and 26.23 dB on BSD68, 32.68, 30.36 and 27.21 dB on Set12 at sigma 15, 25 and 50, by the blind "
        "DnCNN-B (Zhang et al., 2017, tables II and III)"
    ),
    differs="DnCNN-B has more than ten times the parameters, and 20 layers at full size",
    batch_size=16,
    crop=64,
    config={"sigma": [0.0, 55.0]},
    start="denoiser.gray_s25",
    bfloat16=True,
    optimizers=adam_cosine(1e-3, "pixels"),
)
