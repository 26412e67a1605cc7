"""Recipes of `dcgan`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "cifar10": Recipe(
        summary="The DCGAN on CIFAR-10",
        cost="Twenty-five minutes on one core",
        data="cifar10",
        epochs=20,
        batch_size=64,
        expects="a Fréchet distance of 17.4 (39 times the train-test distance), density 1.25, coverage 0.79",
        published=(
            "none that compares: Radford et al., 2016, report the accuracy of a classifier on the discriminator's "
            "features, and the Fréchet distance here is in the features of a shipped classifier"
        ),
        config={"image_shape": (32, 32, 3), "latent_dim": 64},
        optimizers=adam_cosine(5e-4, "discriminator", "generator", beta_1=0.5),
    ),
    "fashion_mnist": Recipe(
        summary="The DCGAN on Fashion-MNIST, with twice the filters",
        cost="An hour on one core",
        data="fashion_mnist",
        epochs=24,
        split="fit",
        batch_size=64,
        expects="a Fréchet distance of 3.8 (11 times the train-test distance), density 0.97, coverage 0.84",
        published=(
            "none that compares: Radford et al., 2016, have no Fashion-MNIST, which is younger, and the Fréchet "
            "distance here is in the features of a shipped classifier"
        ),
        config={"width": 64, "hidden": 256},
        optimizers=adam_cosine(1e-3, "discriminator", "generator", beta_1=0.0, beta_2=0.9, end=0.25),
    ),
    "mnist": Recipe(
        summary="The DCGAN on MNIST",
        cost="Forty minutes on one core",
        data="mnist",
        epochs=45,
        split="fit",
        batch_size=64,
        expects="a Fréchet distance of 1.9 (3.1 times the train-test distance), density 0.81, coverage 0.87",
        published=(
            "none that compares: Radford et al., 2016, report the error of a nearest-neighbor classifier on "
            "samples, and the Fréchet distance here is in the features of a shipped classifier"
        ),
        config={"hidden": 256},
        optimizers=adam_cosine(1e-3, "discriminator", "generator", beta_1=0.0, beta_2=0.9, end=0.25),
    ),
    # `benchmarks/quality/signs_augmentation.py` measures the effect of the augmentation: with a fifth of the
    # photographs and 300 epochs, the coverage is 0.60 with it and 0.53 without, the Fréchet distance 162 and 164.
    "signs": Recipe(
        summary="The DCGAN on photographs of hand signs: few images, and so differentiable augmentation",
        cost="Fifteen minutes on one core",
        data="signs",
        epochs=150,
        split="fit",
        batch_size=32,
        expects="a Fréchet distance of 73 (5.2 times the train-test distance), density 0.75, coverage 0.69",
        published="none: no paper has these photographs",
        config={
            "image_shape": (64, 64, 3),
            "latent_dim": 64,
            "width": 16,
            "augmentation": ("color", "translation", "cutout"),
            "ema_decay": 0.995,
        },
        optimizers=adam_cosine(1e-3, "discriminator", "generator", beta_1=0.0, beta_2=0.9, end=0.25),
    ),
}
