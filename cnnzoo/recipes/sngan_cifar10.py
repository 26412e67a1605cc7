"""The spectrally normalised GAN on CIFAR-10, told the class by projection.

    cnnzoo train sngan.cifar10

7,800 updates of the generator, forty minutes on one core; the published networks took 50,000, with four times the
filters. So short a training makes scenes of the right colours, and the class is seen in few of them.
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="sngan.cifar10",
    data="cifar10",
    epochs=20,
    batch_size=128,
    expects="samples at Fréchet 19, coverage 0.72, of which a quarter are classified as asked",
    published=(
        "none that compares: Miyato et al., 2018, report FID and Inception score, and the Fréchet distance here is in "
        "the features of a shipped classifier"
    ),
    config={"classes": 10, "latent_dim": 64, "width": 32, "critic_steps": 2, "ema_decay": 0.995},
    bfloat16=True,
    optimizers=adam_cosine(2e-4, "discriminator", "generator", beta_1=0.0, beta_2=0.9),
)
