"""ESPCN that enlarges 2 times.

    cnnzoo train espcn.x2

Eighty minutes on one core, beside another training; 37.32 dB on Set5 and 32.84 dB on Set14 (Y-shave).
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="espcn.x2",
    data="t91+bsds500+train400",
    epochs=110,
    expects="PSNR (Y-shave) of 37.32 dB on Set5, 32.84 on Set14, 31.75 on BSD100",
    published=(
        "not given for ESPCN; 37.58 dB on Set5, 33.03 on Set14, 31.90 on BSD100 by DnCNN-3 (Zhang et al., 2017, as "
        "its authors' repository has them)"
    ),
    differs=(
        "another network: DnCNN-3 has 20 layers and about thirty times the parameters, and works on the picture that "
        "is enlarged already"
    ),
    batch_size=16,
    crop=96,
    config={"scale": 2},
    optimizers=adam_cosine(1e-3, "pixels"),
)
