"""Recipes of `enhancer`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    # PSNR on validation photographs after 300 steps on crops of 192 pixels, at -2 EV and well exposed: 14.99 and
    # 16.16 dB with the no-reference losses alone (`reference=0`), 19.83 and 24.31 with both at equal weight, 22.35 and
    # 32.43 with the supervised loss alone, and 22.64 and 32.55 with that on crops of 256 pixels.
    "photos": Recipe(
        summary="The enhancer for photographs, trained on pairs of misexposed photographs and their originals",
        cost="A quarter of an hour on one core",
        data="t91+bsds500",
        epochs=24,
        expects="PSNR of 22.39 dB on BSD100 in drawn exposures, 23.58 at -2 EV, 19.03 at +1 EV, 36.93 well exposed",
        published=(
            "none that compares: Guo et al., 2020, correct photographs that were taken in too little light, those "
            "here were mis-exposed by formulas"
        ),
        batch_size=16,
        crop=256,
        optimizers=adam_cosine(3e-3, "curves"),
    ),
}
