"""LeNet on CIFAR-10.

    cnnzoo train lenet.cifar10

Ten minutes on one core; test accuracy 71 %.
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="lenet.cifar10",
    data="cifar10",
    epochs=100,
    expects="test accuracy 71 %",
    published="none: LeCun et al., 1998, have no CIFAR-10, which is younger",
    config={"augmentation": {"shift": 0.08, "mirror": True}},
    optimizers=adam_cosine(2e-3, "classifier"),
)
