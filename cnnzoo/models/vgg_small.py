"""A small VGG with batch normalization for color images of 32 pixels a side: 1.2 million parameters.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2015,
arXiv:1409.1556, configuration B without its last block; batch normalization of Ioffe and Szegedy, 2015,
arXiv:1502.03167, before each activation, and one mean over all positions instead of the hidden dense layers.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
from keras import layers

from cnnzoo.nn.layers import BatchNormalization
from cnnzoo.registry import register
from cnnzoo.tasks.classifier import Classifier

BLOCKS = 4  # each with twice the filters at half the sides of the previous one
MOMENTUM = 0.9  # of the moving means of batch normalization


@register("vgg_small")
class VGGSmall(Classifier):
    """Four blocks of two 3x3 convolutions each, with max-pooling in between.

    Its activations, `block1_relu1` and so on, are feature maps for scores of other models.

    Args:
        image_shape: (height, width, channels) with sides of 8 and more.
        width: Filters of the first block.
        **config: See `cnnzoo.tasks.classifier.Classifier`: classes, l1, l2, augmentation.
    """

    sides = range(2 ** (BLOCKS - 1), 65)
    search_space: ClassVar[dict] = {**Classifier.search_space, "width": [16, 32, 64]}

    def __init__(self, *, image_shape: Sequence[Any] = (32, 32, 3), width: int = 32, **config: Any) -> None:
        super().__init__(image_shape=image_shape, **config)
        least = 2 ** (BLOCKS - 1)
        if min(self.image_shape[:2]) < least:
            raise ValueError(f"`image_shape` must have sides of {least} or more. Received: {self.image_shape}")
        self.width = width
        stack = [keras.Input(self.image_shape)]  # (n, 32, 32, 3)
        for block in range(1, BLOCKS + 1):
            filters = width * 2 ** (block - 1)
            for i in (1, 2):
                name = f"block{block}_{{}}{i}".format
                # Batch normalization makes a bias redundant.
                stack.append(layers.Conv2D(filters, 3, padding="same", use_bias=False, name=name("conv")))
                stack.append(BatchNormalization(momentum=MOMENTUM, name=name("norm")))
                stack.append(layers.ReLU(name=name("relu")))
            if block < BLOCKS:
                stack.append(layers.MaxPooling2D(name=f"block{block}_pool"))  # 16, then 8, then 4 pixels a side
        stack.append(layers.GlobalAveragePooling2D())  # (n, 8 * width)
        self.backbone = keras.Sequential(stack, name="backbone")
        self.head = layers.Dense(self.classes, dtype="float32", name="head")  # (n, classes)
        self.head.build((None, filters))
        self.build()
