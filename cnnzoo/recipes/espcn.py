"""Recipes of `espcn`."""

from typing import Any

from cnnzoo.recipes import Recipe, adam_cosine


def real(scale: int, **settings: Any) -> Recipe:
    """The recipe for photographs in files, from a checkpoint, `start`."""
    return Recipe(
        summary=f"ESPCN that enlarges {scale} times, for JPEG files, slight blur and noise",
        data="t91+bsds500+train400",
        published=(
            "none for this degradation; papers on real photographs have others, and networks with hundreds of times as "
            "many parameters, as Wang et al., Real-ESRGAN, 2021, arXiv:2107.10833"
        ),
        batch_size=16,
        precision="float32",
        config={"scale": scale, "degradation": "real"},
        optimizers=adam_cosine(1e-3, "pixels"),
        **settings,
    )


RECIPES = {
    "x2": Recipe(
        summary="ESPCN that enlarges 2 times",
        cost="Eighty minutes on one core",
        data="t91+bsds500+train400",
        epochs=110,
        expects="PSNR (Y-shave) of 37.32 dB on Set5, 32.84 on Set14, 31.75 on BSD100",
        published=(
            "not given for ESPCN; 37.58 dB on Set5, 33.03 on Set14, 31.90 on BSD100 by DnCNN-3 (Zhang et al., 2017, as "
            "its authors' repository has them)"
        ),
        differs=(
            "another network: DnCNN-3 has 20 layers and about thirty times the parameters, and works on the picture"
            " that is enlarged already"
        ),
        batch_size=16,
        crop=96,
        precision="float32",
        config={"scale": 2},
        optimizers=adam_cosine(1e-3, "pixels"),
    ),
    "x2_real": real(
        2,
        cost="Eight minutes on one core, from `espcn.x3_real`",
        epochs=20,
        expects=(
            "PSNR (Y-shave) from JPEG of quality 50, 75 and 92 of 32.06, 33.48 and 35.11 dB on Set5, 29.23, 30.34 and "
            "31.57 on Set14"
        ),
        crop=96,
        start="espcn.x3_real",
    ),
    "x3": Recipe(
        summary="ESPCN that enlarges 3 times",
        cost="Forty minutes on one core",
        data="t91+bsds500+train400",
        epochs=170,
        expects="PSNR (Y-shave) of 33.33 dB on Set5, 29.58 on Set14, 28.67 on BSD100",
        published=(
            "32.55 dB on Set5 by ESPCN with the 91 images (Shi et al., 2016, table 1); 33.75 dB on Set5, 29.81 on "
            "Set14, 28.85 on BSD100 by DnCNN-3 (Zhang et al., 2017, as its authors' repository has them)"
        ),
        differs=(
            "as many parameters as ESPCN, but deeper and trained on more photographs, and about a thirtieth of "
            "DnCNN-3's"
        ),
        batch_size=16,
        crop=120,
        precision="float32",
        config={"scale": 3},
        optimizers=adam_cosine(1e-3, "pixels"),
    ),
    "x3_real": real(
        3,
        cost="Twenty minutes on one core",
        epochs=110,
        expects=(
            "PSNR (Y-shave) from JPEG of quality 50, 75 and 92 of 29.35, 30.58 and 31.87 dB on Set5, 26.94, 27.87 and "
            "28.77 on Set14"
        ),
        crop=120,
        start="espcn.x3",
    ),
    "x4": Recipe(
        summary="ESPCN that enlarges 4 times",
        cost="Half an hour on one core",
        data="t91+bsds500+train400",
        epochs=120,
        expects="PSNR (Y-shave) of 30.98 dB on Set5, 27.78 on Set14, 27.13 on BSD100",
        published=(
            "not given for ESPCN; 31.40 dB on Set5, 28.04 on Set14, 27.29 on BSD100 by DnCNN-3 (Zhang et al., 2017, as "
            "its authors' repository has them)"
        ),
        differs=(
            "another network: DnCNN-3 has 20 layers and about thirty times the parameters, and works on the picture"
            " that is enlarged already"
        ),
        batch_size=16,
        crop=160,
        precision="float32",
        config={"scale": 4},
        start="espcn.x2",
        optimizers=adam_cosine(1e-3, "pixels"),
    ),
    "x4_real": real(
        4,
        cost="Eight minutes on one core, from `espcn.x3_real`",
        epochs=70,
        expects=(
            "PSNR (Y-shave) from JPEG of quality 50, 75 and 92 of 27.55, 28.69 and 29.79 dB on Set5, 25.51, 26.27 and "
            "27.05 on Set14"
        ),
        crop=160,
        start="espcn.x3_real",
    ),
}
