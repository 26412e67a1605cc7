"""Recipes of `inpainter`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "cifar10": Recipe(
        summary="The inpainter on CIFAR-10",
        cost="An hour on one core",
        data="cifar10",
        epochs=12,
        expects="PSNR over missing pixels of 22.5 dB on 2000 test images, 21.2 by biharmonic filling",
        published=(
            "none that compares: Yu et al., 2019, fill holes in photographs of Places2 and faces of CelebA-HQ; "
            "biharmonic filling is the comparison"
        ),
        batch_size=16,
        optimizers=adam_cosine(2e-3, "restoration", warmup=0.05),
    ),
    "fashion_mnist": Recipe(
        summary="The inpainter on Fashion-MNIST",
        cost="About 40 minutes on one core",
        data="fashion_mnist",
        epochs=6,
        expects="PSNR over missing pixels of 19.9 dB on 2000 test images, 15.6 by biharmonic filling",
        published=(
            "none that compares: Yu et al., 2019, fill holes in photographs of Places2 and faces of CelebA-HQ; "
            "biharmonic filling is the comparison"
        ),
        batch_size=16,
        config={"image_shape": (None, None, 1)},
        optimizers=adam_cosine(2e-3, "restoration", warmup=0.05),
    ),
    "photos64": Recipe(
        summary="The inpainter on crops of photographs of 64 pixels a side",
        cost="70 minutes on one core",
        data="t91+bsds500",
        epochs=48,
        split="fit",
        expects="PSNR over missing pixels of 21.8 dB on the middles of BSD100, 20.2 by biharmonic filling",
        published=(
            "none that compares: Yu et al., 2019, fill holes in photographs of Places2 and faces of CelebA-HQ; "
            "biharmonic filling is the comparison"
        ),
        batch_size=8,
        crop=64,
        optimizers=adam_cosine(2e-3, "restoration", warmup=0.05),
    ),
}
