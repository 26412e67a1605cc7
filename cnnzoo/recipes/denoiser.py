"""Recipes of `denoiser`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "color_blind": Recipe(
        summary="The denoiser for color photographs with noise of any sigma up to 55",
        cost="Twenty-five minutes on one core",
        data="t91+bsds500",
        epochs=45,
        expects="PSNR of 32.61, 29.91 and 26.29 dB on BSD100 at sigma 15, 25 and 50",
        published="none given: figures for color are on CBSD68, which is another selection of photographs than BSD100",
        batch_size=16,
        crop=64,
        config={"sigma": [0.0, 55.0], "image_shape": [None, None, 3]},
        optimizers=adam_cosine(2e-3, "pixels"),
    ),
    "gray_blind": Recipe(
        summary="The denoiser for gray photographs with noise of any sigma up to 55",
        cost="Ten minutes on one core, from `denoiser.gray_s25`",
        data="t91+bsds500+train400",
        epochs=20,
        expects="PSNR of 31.02, 28.71 and 25.79 dB on BSD68 at sigma 15, 25 and 50",
        published=(
            "31.61, 29.16 and 26.23 dB on BSD68, 32.68, 30.36 and 27.21 dB on Set12 at sigma 15, 25 and 50, by the "
            "blind DnCNN-B (Zhang et al., 2017, tables II and III)"
        ),
        differs="DnCNN-B has more than ten times the parameters, and 20 layers at full size",
        batch_size=16,
        crop=64,
        config={"sigma": [0.0, 55.0]},
        start="denoiser.gray_s25",
        optimizers=adam_cosine(1e-3, "pixels"),
    ),
    "gray_s15": Recipe(
        summary="The denoiser for gray photographs with noise of sigma 15",
        cost="Seven minutes on one core, from `denoiser.gray_s25`",
        data="t91+bsds500+train400",
        epochs=15,
        expects="PSNR of 31.48 dB on BSD68, 32.49 on Set12",
        published="31.73 dB on BSD68, 32.86 dB on Set12, by DnCNN-S (Zhang et al., 2017, tables II and III)",
        differs=(
            "DnCNN has ten times the parameters, 17 layers at full size, and was trained on crops of 400 "
            "photographs alone"
        ),
        batch_size=16,
        crop=64,
        config={"sigma": 15.0},
        start="denoiser.gray_s25",
        optimizers=adam_cosine(1e-3, "pixels"),
    ),
    "gray_s25": Recipe(
        summary="The denoiser for gray photographs with noise of sigma 25",
        cost="Fifty minutes on one core",
        data="t91+bsds500+train400",
        epochs=120,
        split="fit",
        expects="PSNR of 28.98 dB on BSD68, 30.06 on Set12",
        published="29.23 dB on BSD68, 30.44 dB on Set12, by DnCNN-S (Zhang et al., 2017, tables II and III)",
        differs=(
            "DnCNN has ten times the parameters, 17 layers at full size, and was trained on crops of 400 "
            "photographs alone"
        ),
        batch_size=16,
        crop=64,
        config={"sigma": 25.0},
        optimizers=adam_cosine(2e-3, "pixels"),
    ),
    "gray_s50": Recipe(
        summary="The denoiser for gray photographs with noise of sigma 50",
        cost="Seven minutes on one core, from `denoiser.gray_s25`",
        data="t91+bsds500+train400",
        epochs=15,
        expects="PSNR of 26.01 dB on BSD68, 26.84 on Set12",
        published="26.23 dB on BSD68, 27.18 dB on Set12, by DnCNN-S (Zhang et al., 2017, tables II and III)",
        differs=(
            "DnCNN has ten times the parameters, 17 layers at full size, and was trained on crops of 400 "
            "photographs alone"
        ),
        batch_size=16,
        crop=64,
        config={"sigma": 50.0},
        start="denoiser.gray_s25",
        optimizers=adam_cosine(1e-3, "pixels"),
    ),
}
