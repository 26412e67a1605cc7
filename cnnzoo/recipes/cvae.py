"""Recipes of `cvae`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "mnist": Recipe(
        summary="The conditional VAE on dynamically binarized MNIST",
        cost="Ten minutes on one core",
        data="mnist",
        epochs=25,
        expects="importance-weighted NLL, given the labels (K = 5000), of 82.4 nats",
        published=(
            "none that compares: Sohn et al., 2015, predict a part of a digit from the rest of it, not digits from "
            "labels"
        ),
        config={"latent_dim": 32, "binarize": True},
        optimizers=adam_cosine(2e-3, "elbo"),
    ),
}
