"""The inpainter on Fashion-MNIST.

    cnnzoo train inpainter.fashion_mnist

About 40 minutes on a shared core; 19.92 dB over the missing pixels of test images, 4.29 above biharmonic filling.
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="inpainter.fashion_mnist",
    data="fashion_mnist",
    epochs=6,
    expects="PSNR over missing pixels of 19.9 dB on 2000 test images, 15.6 by biharmonic filling",
    published=(
        "none that compares: Yu et al., 2019, fill holes in photographs of Places2 and faces of CelebA-HQ; biharmonic "
        "filling is the comparison"
    ),
    batch_size=16,
    config={"image_shape": (None, None, 1)},
    bfloat16=True,
    optimizers=adam_cosine(2e-3, "restoration", warmup=0.05),
)
