"""The denoiser for grey photographs with noise of sigma 25.

    cnnzoo train denoiser.gray_s25

Twenty-five minutes on one core, beside another training; 28.94 dB on BSD68.
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="denoiser.gray_s25",
    data="t91+bsds500+train400",
    epochs=45,
    expects="PSNR of 28.94 dB on BSD68, 30.01 on Set12",
    published="29.23 dB on BSD68, 30.44 dB on Set12, by DnCNN-S (Zhang et al., 2017, tables II and III)",
    differs=(
        "DnCNN has ten times the parameters, 17 layers at full size, and was trained on crops of 400 photographs alone"
    ),
    batch_size=16,
    crop=64,
    config={"sigma": 25.0},
    bfloat16=True,
    optimizers=adam_cosine(2e-3, "pixels"),
)
