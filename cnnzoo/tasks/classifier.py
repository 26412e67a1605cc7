"""The task base of classifiers."""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
from keras import ops

from cnnzoo.nn import losses
from cnnzoo.nn.layers import RandomAffine, unit_range
from cnnzoo.phases import Phase
from cnnzoo.tasks import inference
from cnnzoo.tasks.sharing import Shared
from cnnzoo.utils.checks import check_integer

AUGMENTATIONS = ("rotation", "shift", "zoom", "mirror")  # keywords of `RandomAffine`


class ClassifierOutputs(NamedTuple):
    """Logits and labels of a batch."""

    logits: Any  # (n, classes) float32
    labels: Any  # (n,) integers


class Classifier(Shared):
    """Images to class probabilities. Minimizes the mean of -log p(y|x), with p = softmax(network(x)).

    A subclass makes `self.backbone` (images in [0, 1] to features) and `self.head` (features to logits).

    Args:
        image_shape: (height, width, channels).
        classes: Number of classes.
        l1, l2: Weights of the sum of absolute and of squared kernel entries in the loss.
        augmentation: Keywords of `cnnzoo.nn.layers.RandomAffine` for training, or None.
    """

    task = "classify"
    sides: Sequence[int] = range(28, 65)
    channels = (1, 3)
    needs_labels = True
    takes_metrics = True
    log_names = ("accuracy",)
    search_space: ClassVar[dict] = {
        "learning_rate": (1e-4, 1e-2),
        "batch_size": [32, 64, 128, 256],
        "l2": [0.0, 1e-5, 1e-4, 1e-3],
    }

    backbone: keras.Sequential
    head: keras.layers.Dense

    def __init__(
        self,
        *,
        image_shape: Sequence[Any] = (28, 28, 1),
        classes: int = 10,
        l1: float = 0.0,
        l2: float = 0.0,
        augmentation: dict | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_integer("classes", classes, 2)
        self.image_shape = tuple(image_shape)
        self.classes = classes
        self.l1, self.l2 = l1, l2
        self.augmentation = augmentation
        if unknown := [key for key in augmentation or () if key not in AUGMENTATIONS]:
            raise ValueError(
                f"`augmentation` must have keywords of {', '.join(AUGMENTATIONS)}. Received: {', '.join(unknown)}"
            )
        self.augment = RandomAffine(**augmentation) if augmentation else None

    def phases(self) -> list[Phase]:
        network = [self.backbone, self.head]
        return [Phase("classifier", network, self.classifier_loss, penalty=self.weight_penalty)]

    def forward(self, images: Any, labels: Any, training: bool) -> ClassifierOutputs:
        if self.augment is not None:
            images = self.augment(images, training=training)
        return ClassifierOutputs(self.head(self.backbone(images, training=training)), labels)

    def classifier_loss(self, outputs: ClassifierOutputs) -> Any:
        hits = ops.equal(ops.argmax(outputs.logits, axis=-1), ops.cast(outputs.labels, "int32"))
        return losses.cross_entropy(outputs.labels, outputs.logits), {"accuracy": ops.cast(hits, "float32")}

    def predictions(self, outputs: ClassifierOutputs) -> Any:
        return outputs.labels, ops.softmax(outputs.logits)

    def weight_penalty(self) -> Any:
        """l1 ||w||_1 + l2 ||w||_2^2 over the kernels, without biases."""
        kernels = [ops.cast(w, "float32") for w in self.trainable_variables if w.name == "kernel"]
        penalty = self.l1 * sum(ops.sum(ops.abs(w)) for w in kernels) if self.l1 else 0.0
        return penalty + (self.l2 * sum(ops.sum(ops.square(w)) for w in kernels) if self.l2 else 0.0)

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return {"classifier": keras.optimizers.Adam(1e-3)}

    def call(self, images: Any, training: bool = False) -> Any:
        """Images, uint8 or float32 in [0, 1], to probabilities (n, classes)."""
        return ops.softmax(self.head(self.backbone(unit_range(images), training=training)))

    def classify(self, x: Any) -> np.ndarray:
        """The class probabilities (n, classes) of one image or a batch of n.

        Args:
            x: uint8 or float32 in [0, 1], of the model's shape; or a path, a Pillow image or a list of them, which
                are center-cropped and resized. A mismatch in polarity (dark on light images for a model of light on
                dark, such as MNIST, or the reverse) raises a warning.

        Raises:
            ValueError: For images of another shape, type or range.
        """
        return inference.images_to_rows(self, inference.called, x)

    def features(self, x: Any) -> np.ndarray:
        """The activations (n, d) before the last layer, for one image or a batch of n."""
        return inference.images_to_rows(self, _features, x)


def _features(model: Classifier, images: Any) -> Any:
    return model.backbone(unit_range(images))
