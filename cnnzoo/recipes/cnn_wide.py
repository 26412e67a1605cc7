"""Recipes of `cnn_wide`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "mnist": Recipe(
        summary="The wider CNN on MNIST",
        cost="Four minutes on one core",
        data="mnist",
        epochs=15,
        expects="test accuracy 99.3 %",
        published="none: the network is of no paper",
        config={"dropout": 0.2, "augmentation": {"rotation": 10.0, "shift": 0.08, "zoom": 0.1}},
        optimizers=adam_cosine(2e-3, "classifier"),
    ),
}
