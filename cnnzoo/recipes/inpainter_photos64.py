"""The inpainter on crops of photographs of 64 pixels a side.

    cnnzoo train inpainter.photos64

About 40 minutes on one core; 21.62 dB over the missing pixels of middles of BSD100, 1.42 above biharmonic filling.
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="inpainter.photos64",
    data="t91+bsds500",
    epochs=24,
    expects="PSNR over missing pixels of 21.6 dB on the middles of BSD100, 20.2 by biharmonic filling",
    published=(
        "none that compares: Yu et al., 2019, fill holes in photographs of Places2 and faces of CelebA-HQ; biharmonic "
        "filling is the comparison"
    ),
    batch_size=8,
    crop=64,
    bfloat16=True,
    optimizers=adam_cosine(2e-3, "restoration", warmup=0.05),
)
