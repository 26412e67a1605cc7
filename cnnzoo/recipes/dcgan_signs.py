"""The DCGAN on photographs of hand signs: few images, and so differentiable augmentation.

    cnnzoo train dcgan.signs

Fifteen minutes on one core; Fréchet distance of 90 (6.4 times the train-test distance), coverage 0.72.
`benchmarks/quality/signs_augmentation.py` shows what the augmentation is for: with a fifth of the photographs, after
300 epochs, the distance is 177 with it and 259 without.
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="dcgan.signs",
    data="signs",
    epochs=150,
    batch_size=32,
    expects="Fréchet distance of 90 (6.4 times the train-test distance), coverage 0.72",
    published="none: no paper has these photographs",
    config={
        "image_shape": (64, 64, 3),
        "latent_dim": 64,
        "width": 16,
        "augmentation": ("color", "translation", "cutout"),
        "ema_decay": 0.995,
    },
    optimizers=adam_cosine(5e-4, "discriminator", "generator", beta_1=0.5),
)
