"""ESPCN that enlarges 3 times.

    cnnzoo train espcn.x3

Forty minutes on one core; 33.33 dB on Set5 and 29.58 dB on Set14 (Y-shave).
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="espcn.x3",
    data="t91+bsds500+train400",
    epochs=170,
    expects="PSNR (Y-shave) of 33.33 dB on Set5, 29.58 on Set14, 28.67 on BSD100",
    batch_size=16,
    crop=120,
    config={"scale": 3},
    optimizers=adam_cosine(1e-3, "pixels"),
)
