"""ESPCN that enlarges 4 times.

    cnnzoo train espcn.x4

Half an hour on one core, beside another training; 30.98 dB on Set5 and 27.78 dB on Set14 (Y-shave).
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="espcn.x4",
    data="t91+bsds500+train400",
    epochs=120,
    expects="PSNR (Y-shave) of 30.98 dB on Set5, 27.78 on Set14, 27.13 on BSD100",
    published=(
        "not given for ESPCN; 31.40 dB on Set5, 28.04 on Set14, 27.29 on BSD100 by DnCNN-3 (Zhang et al., 2017, as "
        "its authors' repository has them)"
    ),
    differs=(
        "another network: DnCNN-3 has 20 layers and about thirty times the parameters, and works on the picture that "
        "is enlarged already"
    ),
    batch_size=16,
    crop=160,
    config={"scale": 4},
    start="espcn.x2",
    optimizers=adam_cosine(1e-3, "pixels"),
)
