"""Recipes of `lenet`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    "cifar10": Recipe(
        summary="LeNet on CIFAR-10",
        cost="Ten minutes on one core",
        data="cifar10",
        epochs=100,
        expects="test accuracy 71 %",
        published="none: LeCun et al., 1998, have no CIFAR-10, which is younger",
        config={"augmentation": {"shift": 0.08, "mirror": True}},
        optimizers=adam_cosine(2e-3, "classifier"),
    ),
    "mnist": Recipe(
        summary="LeNet on MNIST. It is also the feature network of scores of generated digits",
        cost="Three minutes on two cores",
        data="mnist",
        epochs=30,
        expects="test accuracy 99.5 %",
        published=(
            "a test error of 0.95 %, and of 0.8 % with distorted digits added (LeCun et al., 1998, section III.B)"
        ),
        differs=(
            "ReLU, max-pooling and Adam in place of the published units and updates, and digits turned, shifted and "
            "zoomed anew each time"
        ),
        config={"image_shape": (28, 28, 1), "augmentation": {"rotation": 10.0, "shift": 0.08, "zoom": 0.1}},
        optimizers=adam_cosine(2e-3, "classifier"),
    ),
}
