"""Recipes of `espcn_gan`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "x4": Recipe(
        summary="ESPCN that enlarges 4 times, trained against a discriminator",
        cost="A quarter of an hour on one core",
        data="t91+bsds500+train400",
        epochs=20,
        expects="PSNR (Y-shave) of 30.39 dB on Set5, 27.41 on Set14, 26.80 on BSD100",
        published="29.40 dB on Set5, 26.02 on Set14, 25.16 on BSD100, by SRGAN (Ledig et al., 2017, table 2)",
        differs=(
            "SRGAN gives up more of the PSNR for sharpness, with a network of many times the parameters, trained on "
            "ImageNet and judged by VGG-19"
        ),
        batch_size=16,
        crop=128,
        start="espcn.x4",
        optimizers=adam_cosine(2e-4, "discriminator", "generator"),
    ),
}
