"""Recipes of `gan`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "mnist": Recipe(
        summary="The dense GAN on MNIST",
        cost="Twenty minutes on one core",
        data="mnist",
        epochs=45,
        split="fit",
        batch_size=64,
        expects="a Fréchet distance of 2.0 (3.3 times the train-test distance), density 0.89, coverage 0.91",
        published=(
            "none that compares: Goodfellow et al., 2014, report log-likelihoods by Parzen windows, which say "
            "little of images (Theis et al., 2016)"
        ),
        optimizers=adam_cosine(1e-3, "discriminator", "generator", beta_1=0.0, beta_2=0.9, end=0.25),
    ),
}
