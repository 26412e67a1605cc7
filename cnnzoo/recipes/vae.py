"""Recipes of `vae`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "fashion_mnist": Recipe(
        summary="The VAE on Fashion-MNIST, with a discretized logistic likelihood of the 256 gray values",
        cost="A quarter of an hour on one core",
        data="fashion_mnist",
        epochs=40,
        expects="at most 3.95 bits per value by importance weighting (K = 5000); MSE of 0.46 of a 32-component PCA's",
        published="none: Kingma and Welling, 2014, have no Fashion-MNIST, which is younger",
        config={"latent_dim": 32, "likelihood": "logistic"},
        optimizers=adam_cosine(1e-3, "elbo"),
    ),
    "mnist": Recipe(
        summary="The VAE with a learned prior, a VampPrior, on dynamically binarized MNIST",
        cost="Half an hour on one core",
        data="mnist",
        epochs=50,
        expects="importance-weighted NLL (K = 5000) of 82.9 nats",
        published=(
            "NLL of 86.76 nats, and of 84.78 trained with 50 importance samples (Burda et al., 2016, table 1, one "
            "stochastic layer, K = 5000)"
        ),
        differs=(
            "convolutions and a learned prior in place of dense layers and N(0, I); the bound is of the first 1,000"
            " test images here"
        ),
        config={"latent_dim": 32, "binarize": True, "prior": "vampprior", "pseudo_inputs": 300},
        optimizers=adam_cosine(2e-3, "elbo"),
    ),
}
