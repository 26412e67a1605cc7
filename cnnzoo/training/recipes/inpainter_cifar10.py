"""The inpainter on CIFAR-10.

    cnnzoo train inpainter.cifar10

About 40 minutes on one core. No number yet.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="inpainter.cifar10",
    data="cifar10",
    epochs=12,
    expects="no number yet",
    batch_size=16,
    bfloat16=True,
    optimizers=adam_cosine(2e-3, "restoration", warmup=0.05),
)
