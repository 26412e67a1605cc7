"""Recipes of `gan`."""

from cnnzoo.recipes import Recipe

RECIPES = {
    # `benchmarks/quality/peers/gan.py` trains the same networks in a plain loop.
    "mnist": Recipe(
        summary="The dense GAN on MNIST, with its published settings",
        cost="A quarter of an hour on one core",
        data="mnist",
        epochs=40,
        expects="a Fréchet distance of 24, density 0.84, coverage 0.83",
        published=(
            "none that compares: Goodfellow et al., 2014, report log-likelihoods by Parzen windows, which say "
            "little of images (Theis et al., 2016)"
        ),
        config={"label_smoothing": 0.0},  # as in the plain loop, for the comparison
    ),
}
