"""Recipes of `sparse_autoencoder`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "mnist": Recipe(
        summary="The k-sparse autoencoder on MNIST: codes of 256 numbers, 32 of them not 0",
        data="mnist",
        epochs=30,
        expects="not measured",
        published="none that compares: Makhzani and Frey, 2014, report the error of a classifier of the codes",
        config={"latent_dim": 256, "active": 32},
        optimizers=adam_cosine(2e-3, "reconstruction"),
    ),
}
