"""Recipes of `ladder_vae`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "cifar10": Recipe(
        summary="The ladder VAE on CIFAR-10, with six groups of latents at three scales",
        cost="Forty minutes on one core",
        data="cifar10",
        epochs=12,
        split="fit",
        batch_size=64,
        expects="at most 4.44 bits per value by importance weighting (K = 100); reconstructions at 29.8 dB",
        published="2.87 bits per value, with 39 million weights (Child, 2021, table 2)",
        differs="1.8 million weights, and a small part of the updates",
        config={"warmup": 2000},
        optimizers=adam_cosine(1e-3, "elbo"),
    ),
}
