"""The spectrally normalised GAN on CIFAR-10, told the class by projection.

    cnnzoo train sngan.cifar10

A few thousand updates of the generator; the published networks took 50,000, with four times the filters.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="sngan.cifar10",
    data="cifar10",
    epochs=10,
    batch_size=128,
    expects="no number yet, since no checkpoint of it is shipped",
    published=(
        "none that compares: Miyato et al., 2018, report FID and Inception score, and the Fréchet distance here is in "
        "the features of a shipped classifier"
    ),
    config={"classes": 10, "latent_dim": 64, "width": 32, "critic_steps": 2, "ema_decay": 0.995},
    bfloat16=True,
    optimizers=adam_cosine(2e-4, "discriminator", "generator", beta_1=0.0, beta_2=0.9),
)
