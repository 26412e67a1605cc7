"""A small convolutional classifier for 28x28 gray images: 93 thousand parameters."""

from typing import Any, ClassVar

import keras
from keras import layers

from cnnzoo.nn.layers import Dropout
from cnnzoo.registry import register
from cnnzoo.tasks.classifier import Classifier

POOLING = {"max": layers.MaxPooling2D, "average": layers.AveragePooling2D}


@register("cnn")
class CNN(Classifier):
    """Three convolutions of 3x3 with ReLU, pooled in between, a dense layer and the classes.

    Args:
        pooling: "max" or "average", 2x2.
        dropout: Dropout rate before each dense layer.
        **config: See `cnnzoo.tasks.classifier.Classifier`: image_shape, classes, l1, l2, augmentation.
    """

    filters = (32, 64, 64)
    pooled = 2  # number of convolutions followed by pooling
    hidden = 64
    search_space: ClassVar[dict] = {**Classifier.search_space, "pooling": ["max", "average"], "dropout": (0.0, 0.6)}

    def __init__(self, *, pooling: str = "max", dropout: float = 0.0, **config: Any) -> None:
        super().__init__(**config)
        if pooling not in POOLING:
            raise ValueError(f"`pooling` must be one of {', '.join(POOLING)}. Received: {pooling!r}")
        least = 1  # pixels a side, from the last layer to the first
        for i in reversed(range(len(self.filters))):
            least = (2 * least if i < self.pooled else least) + 2
        if min(self.image_shape[:2]) < least:
            raise ValueError(
                f"`image_shape` must be (height, width, channels) with sides >= {least}. Received: {self.image_shape}"
            )
        self.pooling, self.dropout = pooling, dropout
        self.backbone = keras.Sequential([keras.Input(self.image_shape)], name="backbone")  # (n, 28, 28, 1)
        for i, filters in enumerate(self.filters):
            self.backbone.add(layers.Conv2D(filters, 3, activation="relu"))  # 26, then 11, then 3 pixels a side
            if i < self.pooled:
                self.backbone.add(POOLING[pooling](2))  # 13, then 5, then 1
        self.backbone.add(layers.Flatten())  # (n, 3 * 3 * 64), or (n, 128) with three poolings
        self.backbone.add(Dropout(dropout))
        self.backbone.add(layers.Dense(self.hidden, activation="relu"))  # (n, hidden)
        self.backbone.add(Dropout(dropout))
        self.head = layers.Dense(self.classes, dtype="float32", name="head")  # (n, classes)
        self.head.build((None, self.hidden))
        self.build()
