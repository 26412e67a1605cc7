"""Layers, random generators and conversions shared by several architectures."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import keras
from keras import ops

from cnnzoo.nn.replicas import each_row, is_shared, moments

PACKAGE = "cnnzoo"


def unit_range(images: Any) -> Any:
    """uint8 images in [0, 255] or float images in [0, 1] as float32 in [0, 1], in any graph."""
    dtype = keras.backend.standardize_dtype(images.dtype)
    if dtype == "uint8":
        return ops.cast(images, "float32") / 255.0
    if not dtype.startswith(("float", "bfloat")):
        raise ValueError(f"Images must be uint8 in [0, 255] or float32 in [0, 1]. Received: {dtype}")
    return ops.cast(images, "float32")


def with_label(x: Any, label: Any) -> Any:
    """x (n, ..., c) with a one-hot label (n, classes) appended to the channels, at every pixel of images."""
    if len(x.shape) == 4:
        label = label[:, None, None, :] * ops.ones_like(x[..., :1])  # (n, height, width, classes)
    return ops.concatenate([x, label], axis=-1)


def pad_symmetric(x: Any, conv: Any) -> Any:
    """Symmetric padding of maps (n, h, w, c) for a following convolution without padding."""
    margin = conv.kernel_size[0] // 2
    return ops.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="symmetric")


def upsample_nearest(x: Any) -> Any:
    """Nearest-neighbor upsampling, (n, h, w, c) to (n, 2 h, 2 w, c), in operations of every runtime."""
    return ops.nn.depth_to_space(ops.concatenate([x] * 4, axis=3), 2)


@keras.saving.register_keras_serializable(PACKAGE)
class ReplicaSeedGenerator(keras.random.SeedGenerator):
    """A `SeedGenerator` whose draws differ on every replica of a `tf.distribute` strategy.

    A strategy mirrors the state of a plain `SeedGenerator`, which would give every replica the same noise.
    """

    def next(self, ordered: bool = True) -> Any:
        state = super().next(ordered)
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            context = tf.distribute.get_replica_context()
            if context is not None and context.num_replicas_in_sync > 1:
                shift = tf.stack([context.replica_id_in_sync_group * 7919, 0])  # any large stride keeps them apart
                state = state + tf.cast(shift, state.dtype)
        return state


@keras.saving.register_keras_serializable(PACKAGE)
class Dropout(keras.layers.Layer):
    """Dropout with a mask for each image, whatever replica it is on, unlike that of Keras.

    Source: Srivastava et al., "Dropout", JMLR 2014.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"`dropout` must be at least 0 and below 1. Received: {rate}")
        self.rate = rate
        self.noise = ReplicaSeedGenerator()

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.rate == 0.0:
            return x
        if not is_shared():
            return keras.random.dropout(x, self.rate, seed=self.noise)

        def mask(n: Any, seed: Any) -> Any:
            return keras.random.dropout(ops.ones((n, *x.shape[1:]), x.dtype), self.rate, seed=seed)

        return x * each_row(mask, ops.shape(x)[0], self.noise)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


@keras.saving.register_keras_serializable(PACKAGE)
class RandomAffine(keras.layers.Layer):
    """Random rotation, translation, zoom and optional flip of each image, in training only.

    Args:
        rotation: The largest angle, in degrees, from 0 to 180.
        shift: The largest shift along each axis, as a fraction of the side, from 0 to 1.
        zoom: The largest change of scale, as a fraction, from 0 to 1.
        mirror: Whether half of the images are flipped left to right.

    Maps float images (n, height, width, channels) to the same shape; pixels outside the frame are 0.

    Raises:
        ValueError: An argument out of range.
    """

    def __init__(
        self, rotation: float = 0.0, shift: float = 0.0, zoom: float = 0.0, mirror: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        for name, value, most in (("rotation", rotation, 180), ("shift", shift, 1), ("zoom", zoom, 1)):
            if not (isinstance(value, Real) and 0 <= value <= most):
                raise ValueError(f"`{name}` must be a number between 0 and {most}. Received: {value!r}")
        self.rotation, self.shift, self.zoom, self.mirror = rotation, shift, zoom, mirror
        self.noise = ReplicaSeedGenerator()

    def call(self, images: Any, training: bool = False) -> Any:
        if not training:
            return images
        n, height, width = ops.shape(images)[0], images.shape[1], images.shape[2]
        drawn = each_row(lambda n, s: ops.transpose(keras.random.uniform((5, n), -1.0, 1.0, seed=s)), n, self.noise)
        angle, scale, x, y, flip = ops.unstack(drawn, 5, axis=1)
        angle = angle * (self.rotation * 3.141592653589793 / 180.0)
        scale = 1.0 + scale * self.zoom
        flip = ops.where(flip < 0.0, -1.0, 1.0) if self.mirror else ops.ones_like(flip)
        # The transform maps output to input coordinates, about the center of the image.
        a, b = scale * ops.cos(angle), scale * ops.sin(angle)
        cx, cy = (width - 1) / 2, (height - 1) / 2
        x = cx - a * flip * cx + b * cy + x * (self.shift * width)
        y = cy - b * flip * cx - a * cy + y * (self.shift * height)
        zero = ops.zeros_like(a)
        transform = ops.stack([a * flip, -b, x, b * flip, a, y, zero, zero], axis=1)  # (n, 8)
        return ops.image.affine_transform(images, transform, interpolation="bilinear", fill_mode="constant")

    def get_config(self) -> dict[str, Any]:
        own = {"rotation": self.rotation, "shift": self.shift, "zoom": self.zoom, "mirror": self.mirror}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(PACKAGE)
class DepthToSpace(keras.layers.Layer):
    """Rearranges (n, h, w, c * block^2) into (n, h * block, w * block, c), as in a sub-pixel convolution.

    Source: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional
    Neural Network", 2016, equation 4.
    """

    def __init__(self, block: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.block = block

    def call(self, x: Any, training: bool = False) -> Any:
        return _depth_to_space_by_transpose(x, self.block) if training else ops.nn.depth_to_space(x, self.block)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        n, height, width, channels = input_shape
        sides = [side and side * self.block for side in (height, width)]
        return (n, *sides, channels // self.block**2)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "block": self.block}


def _depth_to_space_by_transpose(x: Any, block: int) -> Any:
    """As `ops.nn.depth_to_space`, whose gradient is slow on processors; inference keeps the one operation."""
    n, height, width, channels = ops.shape(x)
    channels //= block**2
    x = ops.reshape(x, (n, height, width, block, block, channels))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (n, height * block, width * block, channels))


@keras.saving.register_keras_serializable(PACKAGE)
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's layer for features (n, ..., d), trained by TensorFlow's fused operation, three times as fast.

    With several replicas, mean and variance are those of the whole batch, without the fused operation.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or not self.trainable or keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training)
        import tensorflow as tf

        if is_shared():
            mean, variance = moments(inputs, range(len(inputs.shape) - 1))
            self._move(mean, variance)
            made = tf.nn.batch_normalization(
                tf.cast(inputs, tf.float32), mean, variance, self.beta, self.gamma, self.epsilon
            )
            return tf.cast(made, self.compute_dtype)
        rows = tf.reshape(tf.cast(inputs, tf.float32), (tf.shape(inputs)[0], 1, -1, inputs.shape[-1]))
        ones, zeros = tf.ones(inputs.shape[-1:]), tf.zeros(inputs.shape[-1:])
        made = tf.raw_ops.FusedBatchNormV3(
            x=rows,
            scale=tf.cast(self.gamma, tf.float32) if self.scale else ones,
            offset=tf.cast(self.beta, tf.float32) if self.center else zeros,
            mean=[],
            variance=[],
            epsilon=self.epsilon,
            is_training=True,
        )
        count = tf.cast(tf.size(rows) // inputs.shape[-1], tf.float32)
        variance = made.batch_variance * tf.maximum(count - 1.0, 0.0) / count  # Keras's is without Bessel's correction
        self._move(made.batch_mean, variance)
        return tf.cast(tf.reshape(made.y, tf.shape(inputs)), self.compute_dtype)

    def _move(self, mean: Any, variance: Any) -> None:
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + ops.cast(value, moving.dtype) * (1.0 - self.momentum))


@keras.saving.register_keras_serializable(PACKAGE)
class BatchSpread(keras.layers.Layer):
    """Minibatch standard deviation: appends its mean over the d features to each row, (n, d) to (n, d + 1).

    It lets a discriminator detect mode collapse. Source: Karras et al.,
    "Progressive Growing of GANs for Improved Quality, Stability, and Variation", 2018, section 3.
    """

    def call(self, x: Any) -> Any:
        variance = moments(x, [0])[1] if is_shared() else ops.var(x, axis=0)
        spread = ops.mean(ops.sqrt(variance + 1e-8))  # 1e-8: the root has no slope at 0
        return ops.concatenate([x, ops.broadcast_to(spread, (ops.shape(x)[0], 1))], axis=1)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        return (input_shape[0], input_shape[1] + 1)


@keras.saving.register_keras_serializable(PACKAGE)
class LogScale(keras.layers.Layer):
    """A trainable log-scale per channel, at least `floor`."""

    def __init__(self, channels: int, floor: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channels, self.floor = channels, floor
        start = keras.initializers.Constant(-2.0)
        self.log_scale = self.add_weight((channels,), start, name="log_scale", dtype="float32", autocast=False)
        self.built = True

    def call(self, x: Any = None) -> Any:
        return ops.maximum(ops.convert_to_tensor(self.log_scale), self.floor)  # (channels,)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "channels": self.channels, "floor": self.floor}


class _Spectral(keras.layers.Layer):
    """Spectral normalization: divides the kernel by an estimate of its largest singular value, sigma = |W u|.

    W is the kernel as a matrix, (inputs, outputs). One power iteration per training call moves u towards the first
    right singular vector; u is constant in the gradient of sigma. The stored kernel is never changed, nor is u outside
    training.

    Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018, equation 8, algorithm 1.
    """

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        start = keras.initializers.RandomNormal(stddev=1.0)
        shape = (super().kernel.shape[-1],)
        # Kernels are equal on all replicas, and so are these vectors, without aggregation.
        self.u = self.add_weight(shape, start, name="u", trainable=False, dtype="float32", autocast=False)

    def _matrix(self) -> Any:
        kernel = super().kernel
        return ops.cast(ops.reshape(kernel, (-1, kernel.shape[-1])), "float32")

    @property
    def sigma(self) -> Any:
        """The estimate of the largest singular value."""
        u = ops.nn.normalize(ops.convert_to_tensor(self.u))
        return ops.norm(ops.matmul(self._matrix(), ops.stop_gradient(u)[:, None]))

    @property
    def kernel(self) -> Any:
        kernel = super().kernel
        return kernel / ops.cast(self.sigma, kernel.dtype)

    def call(self, x: Any, training: bool = False) -> Any:
        if training and self.trainable:
            matrix = ops.stop_gradient(self._matrix())
            self.u.assign(ops.nn.normalize(ops.matmul(ops.matmul(matrix, self.u), matrix)))
        return super().call(x)

    # Those of Dense and Conv would store the normalized kernel.
    def save_own_variables(self, store: Any) -> None:
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store: Any) -> None:
        keras.layers.Layer.load_own_variables(self, store)


@keras.saving.register_keras_serializable(PACKAGE)
class SpectralConv2D(_Spectral, keras.layers.Conv2D):
    """A `Conv2D` with spectral normalization; arguments as in Keras."""


@keras.saving.register_keras_serializable(PACKAGE)
class SpectralDense(_Spectral, keras.layers.Dense):
    """A `Dense` with spectral normalization; arguments as in Keras."""


@keras.saving.register_keras_serializable(PACKAGE)
class ConditionalBatchNormalization(keras.layers.Layer):
    """Class-conditional batch normalization.

    Takes features (..., d) and one-hot labels (n, classes).

    Source: Dumoulin et al., "A Learned Representation for Artistic Style", 2017; Miyato and Koyama, "cGANs with
    Projection Discriminator", 2018, section 4.1.
    """

    def __init__(self, momentum: float = 0.99, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum
        self.normalize = BatchNormalization(momentum=momentum, center=False, scale=False, dtype=self.dtype_policy)

    def build(self, features_shape: Any, labels_shape: Any) -> None:
        self.normalize.build(features_shape)
        shape = (labels_shape[-1], features_shape[-1])
        self.scale = self.add_weight(shape, "ones", name="scale")
        self.shift = self.add_weight(shape, "zeros", name="shift")

    def call(self, features: Any, labels: Any, training: bool = False) -> Any:
        x = self.normalize(features, training=training)
        inner = (-1, *[1] * (len(x.shape) - 2), x.shape[-1])
        scale, shift = (ops.reshape(ops.matmul(labels, table), inner) for table in (self.scale, self.shift))
        return x * scale + shift

    def compute_output_shape(self, features_shape: Any, labels_shape: Any) -> tuple[Any, ...]:
        return features_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum}


AUGMENTATIONS = ("color", "translation", "cutout")


@keras.saving.register_keras_serializable(PACKAGE)
class DifferentiableAugmentation(keras.layers.Layer):
    """Random differentiable augmentation of each image, in training only.

    Args:
        kinds: Any of these, applied in this order: "color" (brightness ±0.5, saturation 0 to 2, contrast 0.5 to 1.5),
            "translation" (up to an eighth of the sides), "cutout" (a gray square of half the side).

    Maps images (n, height, width, channels) in [-1, 1] to the same shape; 0 outside the frame.

    Source: Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training", 2020.
    """

    def __init__(self, kinds: Sequence[str] = AUGMENTATIONS, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if unknown := [kind for kind in kinds if kind not in AUGMENTATIONS]:
            raise ValueError(
                f"`augmentation` must be any of {', '.join(AUGMENTATIONS)}. Received: {', '.join(map(repr, unknown))}"
            )
        self.kinds = tuple(kinds)
        self.noise = ReplicaSeedGenerator()
        self.built = True  # inside a model it may never be called outside of a training step

    def call(self, images: Any, training: bool = False) -> Any:
        if not training:
            return images
        for kind in AUGMENTATIONS:
            if kind in self.kinds:
                images = getattr(self, f"_{kind}")(images)
        return images

    def _uniform(self, images: Any, low: float, high: float) -> Any:
        def draw(n: Any, seed: Any) -> Any:
            return keras.random.uniform((n, 1, 1, 1), low, high, seed=seed)

        return each_row(draw, ops.shape(images)[0], self.noise)

    def _color(self, images: Any) -> Any:
        images = images + self._uniform(images, -0.5, 0.5)
        gray = ops.mean(images, axis=3, keepdims=True)
        images = gray + self._uniform(images, 0.0, 2.0) * (images - gray)
        level = ops.mean(images, axis=(1, 2, 3), keepdims=True)
        return level + self._uniform(images, 0.5, 1.5) * (images - level)

    def _translation(self, images: Any) -> Any:
        for axis in (1, 2):
            side = images.shape[axis]
            farthest = (side + 4) // 8
            shift = ops.floor(self._uniform(images, -farthest, farthest + 1))[:, 0, 0]  # (n, 1), whole pixels
            source = ops.cast(ops.arange(side), "float32") + shift  # (n, side)
            # Outside of [0, side) no entry is hot, and the pixel is 0.
            moved = ops.one_hot(ops.cast(source, "int32"), side, dtype=images.dtype)  # (n, to, from)
            images = ops.einsum("nij,njwc->niwc" if axis == 1 else "nij,nhjc->nhic", moved, images)
        return images

    def _cutout(self, images: Any) -> Any:
        hidden = ops.ones_like(images[..., :1], dtype="bool")
        for axis in (1, 2):
            side = images.shape[axis]
            pixels = ops.reshape(ops.cast(ops.arange(side), "float32"), [-1 if i == axis else 1 for i in range(4)])
            distance = ops.abs(pixels + 0.5 - self._uniform(images, 0.0, side))  # from the center of the square
            hidden = ops.logical_and(hidden, distance < side / 4)
        return ops.where(hidden, ops.zeros_like(images), images)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kinds": self.kinds}
