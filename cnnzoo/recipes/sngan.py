"""Recipes of `sngan`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    # The published networks took 50,000 updates, with four times the filters.
    "cifar10": Recipe(
        summary="The spectrally normalized GAN on CIFAR-10, with labels by projection",
        cost="7,800 updates of the generator, forty minutes on one core",
        data="cifar10",
        epochs=20,
        batch_size=128,
        expects="a Fréchet distance of 19, coverage 0.72, a label accuracy of about 25 %",
        published=(
            "none that compares: Miyato et al., 2018, report FID and Inception score, and the Fréchet distance here"
            " is in the features of a shipped classifier"
        ),
        config={"classes": 10, "latent_dim": 64, "width": 32, "critic_steps": 2, "ema_decay": 0.995},
        optimizers=adam_cosine(2e-4, "discriminator", "generator", beta_1=0.0, beta_2=0.9),
    ),
}
