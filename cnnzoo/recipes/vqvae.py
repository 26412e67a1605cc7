"""Recipes of `vqvae`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    # The autoencoder is trained for two thirds of the steps, the prior for all.
    "cifar10": Recipe(
        summary="The VQ-VAE on CIFAR-10: 64 of 512 codes an image",
        cost="An hour on one core",
        data="cifar10",
        epochs=24,
        split="fit",
        expects="test MSE 0.44 of a 64-component PCA's; samples of its prior at Fréchet 29, coverage 0.75",
        published=(
            "none that compares: van den Oord et al., 2017, report a bound on the likelihood of all 256 values of a "
            "pixel, which a decoder trained by squared errors does not give"
        ),
        config={"image_shape": (32, 32, 3), "codes": 512, "width": 64, "prior_width": 64, "prior_depth": 6},
        optimizers=lambda updates: {
            **adam_cosine(3e-3, "autoencoder")({"autoencoder": 2 * updates["autoencoder"] // 3}),
            **adam_cosine(2e-3, "prior")(updates),
        },
    ),
}
