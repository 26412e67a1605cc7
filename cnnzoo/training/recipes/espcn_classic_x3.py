"""ESPCN as published, that enlarges 3 times, trained on the 91 images alone.

    cnnzoo train espcn_classic.x3

A quarter of an hour on one core; 32.32 dB on Set5, where 32.55 dB was published.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="espcn_classic.x3",
    data="t91",
    epochs=700,
    expects="PSNR (Y-shave) of 32.32 dB on Set5, 28.95 on Set14, 28.15 on BSD100",
    batch_size=16,
    crop=72,
    config={"scale": 3},
    optimizers=adam_cosine(1e-3, "pixels"),
)
