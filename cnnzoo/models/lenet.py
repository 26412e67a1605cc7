"""LeNet-5 with ReLU and max-pooling, for 32x32 color images or 28x28 gray ones padded to 32.

Source: LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998, doi:10.1109/5.726791, section
II.B.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
from keras import layers

from cnnzoo.nn.layers import Dropout
from cnnzoo.registry import register
from cnnzoo.tasks.classifier import Classifier


@register("lenet")
class LeNet(Classifier):
    """Convolutions with 6 and 16 filters of 5x5, each pooled, dense layers of 120 and 84 and the classes.

    Args:
        image_shape: (32, 32, channels), or (28, 28, channels), which is padded with zeros.
        dropout: Dropout rate before each hidden dense layer.
        **config: See `cnnzoo.tasks.classifier.Classifier`: classes, l1, l2, augmentation.
    """

    sides = (28, 32)
    search_space: ClassVar[dict] = {
        **Classifier.search_space,
        "learning_rate": (3e-4, 1e-1),  # of plain SGD with momentum
        "dropout": (0.0, 0.6),
    }

    def __init__(self, *, image_shape: Sequence[Any] = (32, 32, 3), dropout: float = 0.0, **config: Any) -> None:
        super().__init__(image_shape=image_shape, **config)
        height, width = self.image_shape[:2]
        if (height, width) not in {(28, 28), (32, 32)}:
            raise ValueError(
                f"`image_shape` must be (32, 32, channels) or (28, 28, channels). Received: {self.image_shape}"
            )
        self.dropout = dropout
        self.backbone = keras.Sequential(
            [
                keras.Input(self.image_shape),
                layers.ZeroPadding2D((32 - height) // 2),  # (n, 32, 32, channels)
                layers.Conv2D(6, 5, activation="relu"),  # (n, 28, 28, 6)
                layers.MaxPooling2D(),  # (n, 14, 14, 6)
                layers.Conv2D(16, 5, activation="relu"),  # (n, 10, 10, 16)
                layers.MaxPooling2D(),  # (n, 5, 5, 16)
                layers.Flatten(),  # (n, 400)
                Dropout(dropout),
                layers.Dense(120, activation="relu"),  # (n, 120)
                Dropout(dropout),
                layers.Dense(84, activation="relu"),  # (n, 84)
            ],
            name="backbone",
        )
        self.head = layers.Dense(self.classes, dtype="float32", name="head")  # (n, classes)
        self.head.build((None, 84))
        self.build()

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return {"classifier": keras.optimizers.SGD(1e-3, momentum=0.9)}
