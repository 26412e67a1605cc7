"""Recipes of `espcn_classic`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "x3": Recipe(
        summary="ESPCN as published, that enlarges 3 times, trained on the 91 images alone",
        cost="A quarter of an hour on one core",
        data="t91",
        epochs=700,
        expects="PSNR (Y-shave) of 32.32 dB on Set5, 28.95 on Set14, 28.15 on BSD100",
        published="32.55 dB on Set5, trained on the 91 images (Shi et al., 2016, table 1)",
        differs=(
            "the photographs are made small by antialiased bicubic resampling here, after a blur by a Gaussian there "
            "(section 3); bicubic enlargement has 30.40 dB by the measure used here"
        ),
        batch_size=16,
        crop=72,
        precision="float32",
        config={"scale": 3},
        optimizers=adam_cosine(1e-3, "pixels"),
    ),
}
