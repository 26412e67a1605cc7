"""LeNet on MNIST. It is also the feature extractor that scores the generators of digits.

    cnnzoo train lenet.mnist

Three minutes on two cores; test accuracy 99.3 %.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="lenet.mnist",
    data="mnist",
    epochs=30,
    expects="test accuracy 99.3 %",
    config={"image_shape": (28, 28, 1), "augmentation": {"rotation": 10.0, "shift": 0.08, "zoom": 0.1}},
    optimizers=adam_cosine(2e-3, "classifier"),
)
