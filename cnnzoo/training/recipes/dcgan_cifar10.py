"""The DCGAN on CIFAR-10.

    cnnzoo train dcgan.cifar10
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="dcgan.cifar10",
    data="cifar10",
    epochs=20,
    batch_size=64,
    expects="no number yet, since no checkpoint of it is shipped",
    config={"image_shape": (32, 32, 3), "latent_dim": 64},
    bfloat16=True,
    optimizers=adam_cosine(5e-4, "discriminator", "generator", beta_1=0.5),
)
