"""The denoiser for grey photographs with noise of sigma 50.

    cnnzoo train denoiser.gray_s50

Seven minutes on one core, from `denoiser.gray_s25`; 25.98 dB on BSD68.
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="denoiser.gray_s50",
    data="t91+bsds500+train400",
    epochs=15,
    expects="PSNR of 25.98 dB on BSD68, 26.80 on Set12",
    published="26.23 dB on BSD68, 27.18 dB on Set12, by DnCNN-S (Zhang et al., 2017, tables II and III)",
    differs=(
        "DnCNN has ten times the parameters, 17 layers at full size, and was trained on crops of 400 photographs alone"
    ),
    batch_size=16,
    crop=64,
    config={"sigma": 50.0},
    start="denoiser.gray_s25",
    bfloat16=True,
    optimizers=adam_cosine(1e-3, "pixels"),
)
