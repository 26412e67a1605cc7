"""Recipes of `wgan_gp`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    # The published networks took 100,000 updates, with four times the filters and five updates of the critic for each.
    "fashion_mnist": Recipe(
        summary="The Wasserstein GAN with a gradient penalty on Fashion-MNIST",
        cost="5,600 updates of the generator, fifty minutes on one core",
        data="fashion_mnist",
        epochs=9,
        batch_size=96,
        expects="samples at Fréchet 57, coverage 0.45: things that are recognized, with ragged edges",
        published=(
            "none that compares: Gulrajani et al., 2017, have no Fashion-MNIST, and report Inception scores of "
            "CIFAR-10, and the Fréchet distance here is in the features of a shipped classifier"
        ),
        config={"latent_dim": 64, "width": 32, "critic_steps": 3, "ema_decay": 0.995},
        optimizers=lambda updates: {
            **adam_cosine(3e-4, "discriminator", beta_1=0.0, beta_2=0.9)(updates),
            **adam_cosine(2e-4, "generator", beta_1=0.0, beta_2=0.9)(updates),
        },
    ),
}
