"""Recipes of `vae`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    # The likelihood is independent for each channel of a pixel: texture counts as noise, and samples are blurred.
    "cifar10": Recipe(
        summary="The VAE on CIFAR-10, with a discretised logistic likelihood of the 256 values of each channel",
        cost="Half an hour on one core",
        data="cifar10",
        epochs=20,
        expects="at most 6.16 bits per value by importance weighting; test MSE 0.96 of a PCA's; samples at Fréchet 41",
        published="none: Kingma and Welling, 2014, have no CIFAR-10",
        config={"image_shape": (32, 32, 3), "latent_dim": 128, "likelihood": "logistic", "width": 32},
        optimizers=adam_cosine(1e-3, "elbo"),
    ),
    "fashion_mnist": Recipe(
        summary="The VAE on Fashion-MNIST, with a discretised logistic likelihood of the 256 gray values",
        cost="A quarter of an hour on one core",
        data="fashion_mnist",
        epochs=40,
        expects="reconstructions closer than those of a PCA with as many components",
        published="none: Kingma and Welling, 2014, have no Fashion-MNIST, which is younger",
        config={"latent_dim": 32, "likelihood": "logistic"},
        optimizers=adam_cosine(1e-3, "elbo"),
    ),
    "mnist": Recipe(
        summary="The VAE with a learned prior, a VampPrior, on dynamically binarised MNIST",
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
    "mnist_static": Recipe(
        summary="The VAE on statically binarised MNIST",
        cost="Twenty minutes on one core",
        data="mnist/static",
        epochs=60,
        expects="importance-weighted NLL (K = 5000) of 85.0 nats",
        published=(
            "none that compares: those of the literature are of another draw of the pixels, which is a file of its own"
        ),
        config={"latent_dim": 32},
        optimizers=adam_cosine(2e-3, "elbo"),
    ),
}
