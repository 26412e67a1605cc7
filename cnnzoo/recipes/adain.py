"""Recipes of `adain`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "photographs": Recipe(
        summary="The decoder of adaptive instance normalization, for the encoder of vgg_small",
        data="t91+bsds500",
        epochs=8,
        batch_size=8,
        crop=128,
        start="vgg_small.cifar10",
        expects="no number yet",
        published="none that compares: Huang and Belongie, 2017, compare losses and speed in the features of VGG-19",
        optimizers=adam_cosine(1e-3, "decoder"),
    ),
}
