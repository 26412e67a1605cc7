"""Layers and random generators that several architectures share."""

import keras
from keras import ops

PACKAGE = "cnnzoo"


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
