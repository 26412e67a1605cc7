"""Layers, random generators and conversions that several architectures share."""

from collections.abc import Sequence

import keras
from keras import ops

PACKAGE = "cnnzoo"


def unit_range(images):
    """uint8 images in [0, 255] or float images in [0, 1] as float32 in [0, 1], in any graph."""
    dtype = keras.backend.standardize_dtype(images.dtype)
    if dtype == "uint8":
        return ops.cast(images, "float32") / 255.0
    if not dtype.startswith(("float", "bfloat")):
        raise ValueError(f"got images of dtype {dtype}; allowed: uint8 in [0, 255] or float32 in [0, 1]")
    return ops.cast(images, "float32")


def with_label(x, label):
    """x (n, ..., c) with a one-hot label (n, classes) appended to its last axis, at every pixel where x is images."""
    if len(x.shape) == 4:
        label = label[:, None, None, :] * ops.ones_like(x[..., :1])  # (n, height, width, classes)
    return ops.concatenate([x, label], axis=-1)


def pad_symmetric(x, conv):
    """Maps (n, h, w, c) with as much of them mirrored around their borders as a convolution without padding takes."""
    margin = conv.kernel_size[0] // 2
    return ops.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="symmetric")


def upsample_nearest(x):
    """Maps (n, h, w, c) with each pixel four times, (n, 2 h, 2 w, c), by what all runtimes have."""
    return ops.nn.depth_to_space(ops.concatenate([x] * 4, axis=3), 2)


@keras.saving.register_keras_serializable(PACKAGE)
class ReplicaSeedGenerator(keras.random.SeedGenerator):
    """A `SeedGenerator` whose draws differ on every replica of a `tf.distribute` strategy.

    A strategy mirrors the state of a plain one, so that each replica would train on the same noise.
    """

    def next(self, ordered: bool = True):
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
    """Sets a fraction `rate` of its inputs to 0 in training and scales the rest by 1 / (1 - rate).

    Unlike Keras's own it drops other inputs on each replica. Source: Srivastava et al., "Dropout", JMLR 2014.
    """

    def __init__(self, rate: float, **kwargs):
        super().__init__(**kwargs)
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"got dropout={rate}; allowed: 0 <= dropout < 1")
        self.rate = rate
        self.noise = ReplicaSeedGenerator()

    def call(self, x, training=False):
        if not training or self.rate == 0.0:
            return x
        return keras.random.dropout(x, self.rate, seed=self.noise)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


@keras.saving.register_keras_serializable(PACKAGE)
class RandomAffine(keras.layers.Layer):
    """In training, turns, shifts and scales each image at random, and mirrors it if `mirror`; else leaves it alone.

    Args:
        rotation: The largest angle, in degrees.
        shift: The largest shift along each axis, as a fraction of the side.
        zoom: The largest change of scale, as a fraction.
        mirror: Whether half of the images are flipped left to right.

    Takes and gives float images (n, height, width, channels); what enters from outside the frame is 0.
    """

    def __init__(self, rotation: float = 0.0, shift: float = 0.0, zoom: float = 0.0, mirror: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.rotation, self.shift, self.zoom, self.mirror = rotation, shift, zoom, mirror
        self.noise = ReplicaSeedGenerator()

    def call(self, images, training=False):
        if not training:
            return images
        n, height, width = ops.shape(images)[0], images.shape[1], images.shape[2]
        angle, scale, x, y, flip = ops.unstack(keras.random.uniform((5, n), -1.0, 1.0, seed=self.noise), 5)
        angle = angle * (self.rotation * 3.141592653589793 / 180.0)
        scale = 1.0 + scale * self.zoom
        flip = ops.where(flip < 0.0, -1.0, 1.0) if self.mirror else ops.ones_like(flip)
        # The transform maps output to input coordinates, about the centre of the image.
        a, b = scale * ops.cos(angle), scale * ops.sin(angle)
        cx, cy = (width - 1) / 2, (height - 1) / 2
        x = cx - a * flip * cx + b * cy + x * (self.shift * width)
        y = cy - b * flip * cx - a * cy + y * (self.shift * height)
        zero = ops.zeros_like(a)
        transform = ops.stack([a * flip, -b, x, b * flip, a, y, zero, zero], axis=1)  # (n, 8)
        return ops.image.affine_transform(images, transform, interpolation="bilinear", fill_mode="constant")

    def get_config(self):
        own = {"rotation": self.rotation, "shift": self.shift, "zoom": self.zoom, "mirror": self.mirror}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(PACKAGE)
class DepthToSpace(keras.layers.Layer):
    """Rearranges (n, h, w, c * block^2) into (n, h * block, w * block, c), as in a sub-pixel convolution.

    Source: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional
    Neural Network", 2016, equation 4.
    """

    def __init__(self, block: int, **kwargs):
        super().__init__(**kwargs)
        self.block = block

    def call(self, x):
        return ops.nn.depth_to_space(x, self.block)

    def compute_output_shape(self, input_shape):
        n, height, width, channels = input_shape
        sides = [side and side * self.block for side in (height, width)]
        return (n, *sides, channels // self.block**2)

    def get_config(self):
        return {**super().get_config(), "block": self.block}


@keras.saving.register_keras_serializable(PACKAGE)
class BatchSpread(keras.layers.Layer):
    """Appends to each row (n, d) the standard deviation over the batch, averaged over the d features: (n, d + 1).

    A discriminator that sees it can tell a batch of samples that are too much alike. Source: Karras et al.,
    "Progressive Growing of GANs for Improved Quality, Stability, and Variation", 2018, section 3.
    """

    def call(self, x):
        spread = ops.mean(ops.sqrt(ops.var(x, axis=0) + 1e-8))  # 1e-8: the root has no slope at 0
        return ops.concatenate([x, ops.broadcast_to(spread, (ops.shape(x)[0], 1))], axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[1] + 1)


@keras.saving.register_keras_serializable(PACKAGE)
class LogScale(keras.layers.Layer):
    """A trained log-scale for each channel, at least `floor`."""

    def __init__(self, channels: int, floor: float, **kwargs):
        super().__init__(**kwargs)
        self.channels, self.floor = channels, floor
        start = keras.initializers.Constant(-2.0)
        self.log_scale = self.add_weight((channels,), start, name="log_scale", dtype="float32")
        self.built = True

    def call(self, x=None):
        return ops.maximum(ops.convert_to_tensor(self.log_scale), self.floor)  # (channels,)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels, "floor": self.floor}


class _Spectral:
    """For a layer with a kernel: divides it by an estimate of its largest singular value, sigma = |W u|.

    W is the kernel as a matrix, (all else, outputs). One power iteration a training call brings u towards the first
    right singular vector; u is held constant while sigma is differentiated by W. The stored kernel is never changed,
    and outside training u is not either.

    Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018, equation 8, algorithm 1.
    """

    def build(self, input_shape):
        super().build(input_shape)
        start = keras.initializers.RandomNormal(stddev=1.0)
        shape = (super().kernel.shape[-1],)
        # The kernels of all replicas are equal, and so are these vectors without being aggregated.
        self.u = self.add_weight(shape, start, name="u", trainable=False, dtype="float32", autocast=False)

    def _matrix(self):
        kernel = super().kernel
        return ops.cast(ops.reshape(kernel, (-1, kernel.shape[-1])), "float32")

    @property
    def sigma(self):
        """The estimate of the largest singular value."""
        u = ops.nn.normalize(ops.convert_to_tensor(self.u))
        return ops.norm(ops.matmul(self._matrix(), ops.stop_gradient(u)[:, None]))

    @property
    def kernel(self):
        kernel = super().kernel
        return kernel / ops.cast(self.sigma, kernel.dtype)

    def call(self, x, training=False):
        if training:
            matrix = ops.stop_gradient(self._matrix())
            self.u.assign(ops.nn.normalize(ops.matmul(ops.matmul(matrix, self.u), matrix)))
        return super().call(x)

    # Keras's own would store the kernel as it is used.
    def save_own_variables(self, store):
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store):
        keras.layers.Layer.load_own_variables(self, store)


@keras.saving.register_keras_serializable(PACKAGE)
class SpectralConv2D(_Spectral, keras.layers.Conv2D):
    """A `Conv2D` with spectral normalisation, of the arguments of Keras's."""


@keras.saving.register_keras_serializable(PACKAGE)
class SpectralDense(_Spectral, keras.layers.Dense):
    """A `Dense` with spectral normalisation, of the arguments of Keras's."""


@keras.saving.register_keras_serializable(PACKAGE)
class ConditionalBatchNormalization(keras.layers.Layer):
    """Batch normalisation whose scale and shift are those of a class.

    Takes features (..., d) and one-hot labels (n, classes).

    Source: Dumoulin et al., "A Learned Representation for Artistic Style", 2017; Miyato and Koyama, "cGANs with
    Projection Discriminator", 2018, section 4.1.
    """

    def __init__(self, momentum: float = 0.99, **kwargs):
        super().__init__(**kwargs)
        self.momentum = momentum
        self.normalize = keras.layers.BatchNormalization(
            momentum=momentum, center=False, scale=False, dtype=self.dtype_policy
        )

    def build(self, features_shape, labels_shape):
        self.normalize.build(features_shape)
        shape = (labels_shape[-1], features_shape[-1])
        self.scale = self.add_weight(shape, "ones", name="scale")
        self.shift = self.add_weight(shape, "zeros", name="shift")

    def call(self, features, labels, training=False):
        x = self.normalize(features, training=training)
        inner = (-1, *[1] * (len(x.shape) - 2), x.shape[-1])
        scale, shift = (ops.reshape(ops.matmul(labels, table), inner) for table in (self.scale, self.shift))
        return x * scale + shift

    def compute_output_shape(self, features_shape, labels_shape):
        return features_shape

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum}


AUGMENTATIONS = ("color", "translation", "cutout")


@keras.saving.register_keras_serializable(PACKAGE)
class DifferentiableAugmentation(keras.layers.Layer):
    """Changes each image at random, in training, by steps that a gradient passes through.

    Args:
        kinds: Of these, in this order: "color" (brightness by up to 0.5, saturation by up to the double, contrast by
            0.5 to 1.5), "translation" (by up to an eighth of the sides), "cutout" (a square of half of the side grey).

    Takes and gives images (n, height, width, channels) in [-1, 1], where 0 is what lies outside of the frame.

    Source: Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training", 2020.
    """

    def __init__(self, kinds: Sequence[str] = AUGMENTATIONS, **kwargs):
        super().__init__(**kwargs)
        if unknown := [kind for kind in kinds if kind not in AUGMENTATIONS]:
            raise ValueError(f"got augmentation {', '.join(map(repr, unknown))}; allowed: {', '.join(AUGMENTATIONS)}")
        self.kinds = tuple(kinds)
        self.noise = ReplicaSeedGenerator()
        self.built = True  # as a part of a model it may never be called outside of a step

    def call(self, images, training=False):
        if not training:
            return images
        for kind in AUGMENTATIONS:
            if kind in self.kinds:
                images = getattr(self, f"_{kind}")(images)
        return images

    def _uniform(self, images, low: float, high: float):
        return keras.random.uniform((ops.shape(images)[0], 1, 1, 1), low, high, seed=self.noise)

    def _color(self, images):
        images = images + self._uniform(images, -0.5, 0.5)
        grey = ops.mean(images, axis=3, keepdims=True)
        images = grey + self._uniform(images, 0.0, 2.0) * (images - grey)
        level = ops.mean(images, axis=(1, 2, 3), keepdims=True)
        return level + self._uniform(images, 0.5, 1.5) * (images - level)

    def _translation(self, images):
        for axis in (1, 2):
            side = images.shape[axis]
            farthest = (side + 4) // 8
            shift = ops.floor(self._uniform(images, -farthest, farthest + 1))[:, 0, 0]  # (n, 1), whole pixels
            source = ops.cast(ops.arange(side), "float32") + shift  # (n, side)
            # Outside of [0, side) no entry is hot, and the pixel is 0.
            moved = ops.one_hot(ops.cast(source, "int32"), side, dtype=images.dtype)  # (n, to, from)
            images = ops.einsum("nij,njwc->niwc" if axis == 1 else "nij,nhjc->nhic", moved, images)
        return images

    def _cutout(self, images):
        hidden = ops.ones_like(images[..., :1], dtype="bool")
        for axis in (1, 2):
            side = images.shape[axis]
            pixels = ops.reshape(ops.cast(ops.arange(side), "float32"), [-1 if i == axis else 1 for i in range(4)])
            distance = ops.abs(pixels + 0.5 - self._uniform(images, 0.0, side))  # from the centre of the square
            hidden = ops.logical_and(hidden, distance < side / 4)
        return ops.where(hidden, ops.zeros_like(images), images)

    def get_config(self):
        return {**super().get_config(), "kinds": self.kinds}
