"""Recipes of `vgg_small`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "cifar10": Recipe(
        summary="The small VGG on CIFAR-10. What it sees in images is what styles and likenesses are measured by",
        cost="Fifty minutes on one core, half as much again beside other work",
        data="cifar10",
        epochs=24,
        expects="a test accuracy of 89.6 %",
        published="none: Simonyan and Zisserman, 2015, have no CIFAR-10",
        config={"l2": 5e-5, "augmentation": {"shift": 0.125, "mirror": True}},
        optimizers=adam_cosine(2e-3, "classifier", warmup=0.05),
    ),
}
