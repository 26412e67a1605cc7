"""Recipes of `vgg_small`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "cifar10": Recipe(
        summary="The small VGG on CIFAR-10. It is also the feature network of style losses and perceptual distances",
        cost="Fifty minutes on one core",
        data="cifar10",
        epochs=24,
        expects="a test accuracy of 89.6 %",
        published="none: Simonyan and Zisserman, 2015, have no CIFAR-10",
        config={"l2": 5e-5, "augmentation": {"shift": 0.125, "mirror": True}},
        optimizers=adam_cosine(2e-3, "classifier", warmup=0.05),
    ),
}
