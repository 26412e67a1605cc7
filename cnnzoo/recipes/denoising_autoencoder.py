"""Recipes of `denoising_autoencoder`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "mnist": Recipe(
        summary="The denoising autoencoder on MNIST, a quarter of the pixels masked",
        data="mnist",
        epochs=30,
        expects="not measured",
        published=(
            "none that compares: Vincent et al., 2008, report the error of a classifier that begins with the encoder"
        ),
        config={"latent_dim": 32},
        optimizers=adam_cosine(2e-3, "reconstruction"),
    ),
}
