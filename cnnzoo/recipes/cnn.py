"""Recipes of `cnn`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "fashion_mnist": Recipe(
        summary="The small CNN on Fashion-MNIST. It is also the feature network of scores of generated clothes",
        cost="Twelve minutes on one core",
        data="fashion_mnist",
        epochs=60,
        expects="test accuracy 92.5 %",
        published="none: the network is of no paper",
        config={"dropout": 0.1, "augmentation": {"shift": 0.04, "mirror": True}},
        optimizers=adam_cosine(2e-3, "classifier"),
    ),
    "mnist": Recipe(
        summary="The small CNN on MNIST",
        cost="Five minutes on one core",
        data="mnist",
        epochs=20,
        expects="test accuracy 99.5 %",
        published="none: the network is of no paper",
        config={"dropout": 0.1, "augmentation": {"rotation": 10.0, "shift": 0.08, "zoom": 0.1}},
        optimizers=adam_cosine(2e-3, "classifier"),
    ),
    "signs": Recipe(
        summary=(
            "The small CNN on photographs of hand signs. It is also the feature network of scores of generated signs"
        ),
        cost="A few minutes on one core",
        data="signs",
        epochs=80,
        batch_size=32,
        expects="test accuracy about 96 %",
        published="none: neither the network nor a split of these photographs is of a paper",
        config={
            "image_shape": (64, 64, 3),
            "dropout": 0.1,
            "augmentation": {"rotation": 10.0, "shift": 0.08, "zoom": 0.1, "mirror": True},
        },
        optimizers=adam_cosine(1e-3, "classifier"),
    ),
}
