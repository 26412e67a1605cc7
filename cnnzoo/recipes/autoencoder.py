"""Recipes of `autoencoder`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "mnist": Recipe(
        summary="The autoencoder on MNIST with a code of 32 numbers",
        cost="Eight minutes on one core",
        data="mnist",
        epochs=30,
        expects="test MSE of 0.0028, 0.17 of a 32-component PCA's",
        published="none: the network is of no paper; the PCA beside its score is the comparison",
        config={"latent_dim": 32},
        optimizers=adam_cosine(2e-3, "reconstruction"),
    ),
}
