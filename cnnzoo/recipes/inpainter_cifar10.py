"""The inpainter on CIFAR-10.

    cnnzoo train inpainter.cifar10

An hour on a shared core; 22.50 dB over the missing pixels of test images, 1.29 above biharmonic filling.
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="inpainter.cifar10",
    data="cifar10",
    epochs=12,
    expects="PSNR over missing pixels of 22.5 dB on 2000 test images, 21.2 by biharmonic filling",
    published=(
        "none that compares: Yu et al., 2019, fill holes in photographs of Places2 and faces of CelebA-HQ; biharmonic "
        "filling is the comparison"
    ),
    batch_size=16,
    bfloat16=True,
    optimizers=adam_cosine(2e-3, "restoration", warmup=0.05),
)
