"""Recipes of `cgan`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "cifar10": Recipe(
        summary="The conditional GAN on CIFAR-10, with twice the filters",
        cost="An hour and fifty minutes on one core",
        data="cifar10",
        epochs=36,
        split="fit",
        batch_size=64,
        expects="a Fréchet distance of 5.2 (12 times the train-test distance), 56 % of samples of their label",
        published=(
            "none that compares: Mirza and Osindero, 2014, have no CIFAR-10, and the Fréchet distance here is in the "
            "features of a shipped classifier"
        ),
        config={"image_shape": (32, 32, 3), "latent_dim": 64, "width": 64},
        optimizers=adam_cosine(1e-3, "discriminator", "generator", beta_1=0.0, beta_2=0.9),
    ),
    "fashion_mnist": Recipe(
        summary="The conditional GAN on Fashion-MNIST, with twice the filters",
        cost="An hour and ten minutes on one core",
        data="fashion_mnist",
        epochs=24,
        split="fit",
        batch_size=64,
        expects="a Fréchet distance of 2.1 (5.8 times the train-test distance), 89.9 % of samples of their label",
        published=(
            "none that compares: Mirza and Osindero, 2014, have no Fashion-MNIST, which is younger, and the Fréchet "
            "distance here is in the features of a shipped classifier"
        ),
        config={"width": 64},
        optimizers=adam_cosine(1e-3, "discriminator", "generator", beta_1=0.0, beta_2=0.9, end=0.25),
    ),
    "mnist": Recipe(
        summary="The conditional GAN on MNIST",
        cost="Half an hour on one core",
        data="mnist",
        epochs=25,
        batch_size=64,
        expects="a Fréchet distance of 1.8 times the train-test distance, 99.3 % of samples of their label",
        published=(
            "none that compares: Mirza and Osindero, 2014, report log-likelihoods by Parzen windows, which say "
            "little of images (Theis et al., 2016)"
        ),
        optimizers=adam_cosine(5e-4, "discriminator", "generator", beta_1=0.5),
    ),
}
