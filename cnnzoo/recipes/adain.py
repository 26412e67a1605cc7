"""Recipes of `adain`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "photographs": Recipe(
        summary="Adaptive instance normalization after any picture, trained on photographs alone",
        cost="Forty minutes on one core",
        data="t91+bsds500",
        epochs=24,
        split="fit",
        batch_size=8,
        crop=128,
        start="vgg_small.cifar10",
        config={"style_weight": 30.0},
        expects="a style loss of 0.187 and a content loss of 1.46 on BSD100, after six paintings that it never saw",
        published="none that compares: Huang and Belongie, 2017, compare losses and speed in the features of VGG-19",
        optimizers=adam_cosine(1e-3, "decoder"),
    ),
}
