"""The dense GAN on MNIST, with its published settings.

    cnnzoo train gan.mnist

A quarter of an hour on one core; a lower Fréchet distance than a plain loop over the same networks for as many steps.
"""

from cnnzoo.training.recipes import Recipe

RECIPE = Recipe(
    checkpoint="gan.mnist",
    data="mnist",
    epochs=40,
    expects="a lower Fréchet distance than benchmarks/quality/peers/gan.py",
    published=(
        "none that compares: Goodfellow et al., 2014, report log-likelihoods by Parzen windows, which say little of "
        "images (Theis et al., 2016)"
    ),
    config={"label_smoothing": 0.0},  # as in the plain loop, so that the two compare
)
