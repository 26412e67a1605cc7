"""Recipes of `denoiser_large`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "gray_s25": Recipe(
        summary="The large denoiser for gray photographs with noise of sigma 25",
        cost="Two hours on one core",
        data="t91+bsds500+train400",
        epochs=60,
        split="fit",
        expects="PSNR of 29.15 dB on BSD68, 30.33 on Set12",
        published="29.23 dB on BSD68, 30.44 dB on Set12, by DnCNN-S (Zhang et al., 2017, tables II and III)",
        differs="DnCNN has about as many parameters, but all at full size, for many times the computation",
        batch_size=16,
        crop=64,
        config={"sigma": 25.0},
        optimizers=adam_cosine(2e-3, "pixels"),
    ),
}
