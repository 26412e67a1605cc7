"""ESPCN that enlarges 3 times.

    cnnzoo train espcn.x3

Forty minutes on one core; 33.33 dB on Set5 and 29.58 dB on Set14 (Y-shave).
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="espcn.x3",
    data="t91+bsds500+train400",
    epochs=170,
    expects="PSNR (Y-shave) of 33.33 dB on Set5, 29.58 on Set14, 28.67 on BSD100",
    published=(
        "32.55 dB on Set5 by ESPCN with the 91 images (Shi et al., 2016, table 1); 33.75 dB on Set5, 29.81 on Set14, "
        "28.85 on BSD100 by DnCNN-3 (Zhang et al., 2017, as its authors' repository has them)"
    ),
    differs=(
        "as many parameters as ESPCN, but deeper and trained on more photographs, and about a thirtieth of DnCNN-3's"
    ),
    batch_size=16,
    crop=120,
    config={"scale": 3},
    optimizers=adam_cosine(1e-3, "pixels"),
)
