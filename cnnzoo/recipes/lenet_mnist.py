"""LeNet on MNIST. It is also the feature extractor that scores the generators of digits.

    cnnzoo train lenet.mnist

Three minutes on two cores; test accuracy 99.5 %.
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="lenet.mnist",
    data="mnist",
    epochs=30,
    expects="test accuracy 99.5 %",
    published="a test error of 0.95 %, and of 0.8 % with distorted digits added (LeCun et al., 1998, section III.B)",
    differs=(
        "ReLU, max-pooling and Adam in place of the published units and updates, and digits turned, shifted and "
        "zoomed anew each time"
    ),
    config={"image_shape": (28, 28, 1), "augmentation": {"rotation": 10.0, "shift": 0.08, "zoom": 0.1}},
    optimizers=adam_cosine(2e-3, "classifier"),
)
