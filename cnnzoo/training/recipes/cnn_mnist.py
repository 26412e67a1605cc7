"""The small CNN on MNIST.

    cnnzoo train cnn.mnist

Four minutes on two cores; test accuracy 99.4 %.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="cnn.mnist",
    data="mnist",
    epochs=20,
    expects="test accuracy 99.4 %",
    config={"dropout": 0.1, "augmentation": {"rotation": 10.0, "shift": 0.08, "zoom": 0.1}},
    optimizers=adam_cosine(2e-3, "classifier"),
)
