"""Minimal models for tests of training: a two-player game, a line fit, two running means, and a gray level."""

from typing import ClassVar

import keras
import numpy as np
from keras import ops

from cnnzoo.phases import Phase, PhasedModel

IMAGES = np.linspace(0, 1, 8, dtype=np.float32).reshape(8, 1, 1, 1)


class Number(keras.layers.Layer):
    """A layer with one trainable scalar."""

    def __init__(self, start: float, **kwargs):
        super().__init__(**kwargs)
        self.value = self.add_weight((), keras.initializers.Constant(start), name="value")
        self.built = True

    def call(self, _=None):
        return ops.convert_to_tensor(self.value)


@keras.saving.register_keras_serializable("toys")
class Game(PhasedModel):
    """A two-player game: a minimizes a * b + a^2 / 2, b minimizes -a * b. `average` is the EMA of a."""

    task = "generate"
    architecture = "game"

    def __init__(self, *, updates="alternating", ema_decay=0.9, **kwargs):
        super().__init__(**kwargs)
        self.image_shape, self.updates, self.ema_decay = (1, 1, 1), updates, ema_decay
        self.a, self.b, self.average = Number(1.0), Number(2.0), Number(0.0)
        self.build()

    def phases(self):
        return [
            Phase("first", [self.a], lambda ab: ab[0] * ab[1] + 0.5 * ab[0] ** 2),
            Phase("second", [self.b], lambda ab: -ab[0] * ab[1]),
        ]

    def forward(self, images, labels, training):
        return self.a(), self.b()

    def averages(self):
        return [(self.a, self.average)]

    def default_optimizers(self):
        return {"first": keras.optimizers.SGD(0.1), "second": keras.optimizers.SGD(0.2)}


@keras.saving.register_keras_serializable("toys")
class Line(PhasedModel):
    """Minimizes the mean of (w x - y)^2. The label y may be NaN."""

    task = "reconstruct"
    needs_labels = True
    log_names = ("largest",)
    architecture = "line"

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.image_shape = (1, 1, 1)
        self.w = Number(0.5)
        self.build()

    def phases(self):
        return [Phase("fit", [self.w], self.fit_loss)]

    def forward(self, images, labels, training):
        return self.w() * images[:, 0, 0, 0] - ops.cast(labels, "float32")

    def fit_loss(self, errors):
        return ops.square(errors), {"largest": ops.max(ops.abs(errors))}

    def default_optimizers(self):
        return {"fit": keras.optimizers.SGD(0.1)}


@keras.saving.register_keras_serializable("toys")
class Means(PhasedModel):
    """Two phases move a and b toward the mean of the images: a three times per step, b once."""

    task = "generate"
    architecture = "means"

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.image_shape = (1, 1, 1)
        self.a, self.b = Number(0.0), Number(0.0)
        self.build()

    def phases(self):
        return [
            Phase("often", [self.a], lambda mean: 0.5 * (self.a() - mean) ** 2, repeats=3),
            Phase("once", [self.b], lambda mean: 0.5 * (self.b() - mean) ** 2),
        ]

    def forward(self, images, labels, training):
        return ops.mean(images)

    def default_optimizers(self):
        return {"often": keras.optimizers.SGD(0.5), "once": keras.optimizers.SGD(0.5)}


class Shade(PhasedModel):
    """One gray level for all images, trained toward their mean. Tests register this class as "shade"."""

    task = "reconstruct"
    search_space: ClassVar[dict] = {"learning_rate": (1e-3, 1e-1), "batch_size": [64, 128], "start": (0.0, 1.0)}

    def __init__(self, *, image_shape=(8, 8, 1), start=0.5, slope=1.0, **kwargs):
        super().__init__(**kwargs)
        self.image_shape, self.start, self.slope = tuple(image_shape), start, slope
        self.gray = Number(start)
        self.build()

    def phases(self):
        return [Phase("shade", [self.gray], lambda images: self.slope * ops.mean(ops.square(images - self.gray())))]

    def forward(self, images, labels, training):
        return images

    def default_optimizers(self):
        return {"shade": keras.optimizers.SGD(0.01)}

    def reconstruct(self, x):
        gray = float(ops.convert_to_numpy(self.gray.value))
        return np.full(x.shape, gray if x.dtype == np.float32 else round(255 * gray), x.dtype)
