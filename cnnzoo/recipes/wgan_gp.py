"""Recipes of `wgan_gp`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    # The published networks took 100,000 updates, with four times the filters and five updates of the critic for each.
    # One update of the critic, at twice the rate of the generator, makes more of an hour: see docs/scores.md.
    "fashion_mnist": Recipe(
        summary="The Wasserstein GAN with a gradient penalty on Fashion-MNIST",
        cost="26,000 updates of both networks, an hour and a half on one core",
        data="fashion_mnist",
        epochs=30,
        split="fit",
        batch_size=64,
        expects="a Fréchet distance of 3.6 (10 times the train-test distance), density 0.89, coverage 0.86",
        published=(
            "none that compares: Gulrajani et al., 2017, have no Fashion-MNIST, and report Inception scores of "
            "CIFAR-10, and the Fréchet distance here is in the features of a shipped classifier"
        ),
        config={"latent_dim": 64, "width": 32, "critic_steps": 1},
        optimizers=lambda updates: {
            **adam_cosine(1e-3, "discriminator", beta_1=0.0, beta_2=0.9)(updates),
            **adam_cosine(5e-4, "generator", beta_1=0.0, beta_2=0.9)(updates),
        },
    ),
}
