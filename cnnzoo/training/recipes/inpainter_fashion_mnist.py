"""The inpainter on Fashion-MNIST.

    cnnzoo train inpainter.fashion_mnist

About 40 minutes on one core. No number yet.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="inpainter.fashion_mnist",
    data="fashion_mnist",
    epochs=6,
    expects="no number yet",
    batch_size=16,
    config={"image_shape": (None, None, 1)},
    bfloat16=True,
    optimizers=adam_cosine(2e-3, "restoration", warmup=0.05),
)
