"""Style transfer in one pass from any picture: adaptive instance normalisation between an encoder and a decoder.

Source: Huang and Belongie, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization", 2017,
arXiv:1703.06868.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from cnnzoo.imaging.arrays import to_channels, to_uint8
from cnnzoo.imaging.resampling import mirror_to_multiple
from cnnzoo.imaging.tiling import tiled
from cnnzoo.nn.batchnorm_folding import fold_batch_norm
from cnnzoo.nn.layers import pad_symmetric, unit_range, upsample_nearest
from cnnzoo.nn.losses import mean_and_deviation
from cnnzoo.phases import Phase, PhasedModel
from cnnzoo.registry import register
from cnnzoo.tasks.photo_inference import as_photographs, in_type, in_unit_range
from cnnzoo.tasks.pixel_optimizers import resized

STRIDE = 4  # pixels to one of the maps that are normalised
MARGIN = 32  # pixels that the encoder and the decoder see together, on each side
TILE = 512
STYLE = 256  # pixels of the shorter side at which the moments of a style are taken
TINY = 1e-6  # so that a picture of one colour can be compared with


class AdaINOutputs(NamedTuple):
    """What was painted, beside what it is to be like."""

    maps: list  # of the painted pictures, (n, h, w, c), after the first convolution of each block
    target: Any  # what the last of them is to be
    style: list  # the mean and deviation that each is to have, (n, 2 c)


class Encoder(keras.layers.Layer):
    """Images in [0, 1] to the maps after the first convolution of each of three blocks.

    The last has a quarter of their sides. The layers are those of `vgg_small`, with the batch normalisation
    folded into them.
    """

    def __init__(self, width: int, **kwargs):
        super().__init__(**kwargs)
        self.convs = _built([width, width, 2 * width, 2 * width, 4 * width], 3)
        self.built = True

    def call(self, images):
        x, maps = images, []
        for i, conv in enumerate(self.convs):
            x = ops.relu(conv(pad_symmetric(x, conv)))
            if i % 2 == 0:
                maps.append(x)
            else:
                x = ops.max_pool(x, 2, 2)
        return maps


class Decoder(keras.layers.Layer):
    """The encoder's last maps (n, h, w, 4 width) to images (n, 4 h, 4 w, 3) in [0, 1]: its layers the other way round.

    Each pixel is repeated and then convolved, which leaves no checkerboard. There is no normalisation, as this would
    give all images one style (section 6.1).
    """

    def __init__(self, width: int, **kwargs):
        super().__init__(**kwargs)
        self.convs = _built([2 * width, 2 * width, width, width], 4 * width)
        self.last = _built([3], width, dtype="float32")[0]
        self.built = True

    def call(self, x):
        for i, conv in enumerate(self.convs):
            x = ops.relu(conv(pad_symmetric(x, conv)))
            if i % 2 == 0:
                x = upsample_nearest(x)
        return ops.sigmoid(self.last(pad_symmetric(x, self.last)))


def _built(sizes: list[int], channels: int, **options) -> list[keras.layers.Conv2D]:
    """3x3 convolutions one after the other."""
    convs = []
    for size in sizes:
        convs.append(keras.layers.Conv2D(size, 3, kernel_initializer="he_normal", **options))
        convs[-1].build((None, None, None, channels))
        channels = size
    return convs


@register("adain")
class AdaIN(PhasedModel):
    """Gives the features of a photograph the mean and the deviation of those of another picture, and decodes them.

    The decoder g is given t = d(F(s)) (F(c) - m(F(c))) / d(F(c)) + m(F(s)) (equation 8), with F(c) and F(s) the last
    maps of the content and of the style, m their means and d their deviations. Only the decoder is trained. The encoder
    is that of a classifier, which `init_from` takes it from; its weights are kept in the checkpoint. In training the
    style of each photograph is the one before it in the batch, so that a batch of one is refused.

    Minimises the losses of content and style. That of the content is |F(g(t)) - t|^2 / |t - mean t|^2; that of the
    style is the mean over the maps of |S - S_s|^2 / |S_s|^2, where S are the mean and the deviation of each feature of
    g(t) and S_s those of the style, the squares being summed over the batch. So each is 1 where nothing of its target
    is met.

    Args:
        width: Filters at the full resolution; each step down doubles them.
        content_weight, style_weight: Of the two terms.
        image_shape: (None, None, 3) for photographs of any size.

    Raises:
        ValueError: For another shape.
    """

    task = "stylize"
    least_batch = 2  # a photograph that is alone would have no style but its own
    log_names = ("content", "style")

    def __init__(self, *, width=32, content_weight=1.0, style_weight=10.0, image_shape=(None, None, 3), **kwargs):
        super().__init__(**kwargs)
        if tuple(image_shape) != (None, None, 3):
            raise ValueError(f"got image_shape={image_shape}; allowed: (None, None, 3)")
        self.width, self.image_shape = width, tuple(image_shape)
        self.content_weight, self.style_weight = content_weight, style_weight
        self.encoder = Encoder(width, name="encoder")
        self.encoder.trainable = False
        self.decoder = Decoder(width, name="decoder")
        self.build()

    def init_from(self, other: PhasedModel) -> None:
        """Takes the encoder of a classifier, or all weights of another `adain`.

        Raises:
            ValueError: The first convolutions of the classifier are others.
        """
        if isinstance(other, AdaIN):
            return super().init_from(other)
        backbone = getattr(other, "backbone", None)
        theirs = [] if backbone is None else fold_batch_norm(backbone).layers
        convs = [layer for layer in theirs if isinstance(layer, keras.layers.Conv2D)][: len(self.encoder.convs)]
        mine = self.encoder.convs
        if [conv.kernel.shape for conv in convs] != [conv.kernel.shape for conv in mine]:
            raise ValueError(f"got {other.architecture!r} to begin 'adain' with; allowed: a vgg_small of equal width")
        for conv, source in zip(mine, convs, strict=True):
            conv.set_weights([source.kernel, source.bias if source.use_bias else np.zeros(conv.filters, np.float32)])

    def phases(self):
        return [Phase("decoder", [self.decoder], self.decoder_loss)]

    def forward(self, images, labels, training):
        images = mirror_to_multiple(images, STRIDE)
        maps = [ops.cast(features, "float32") for features in self.encoder(images)]
        style = [ops.roll(mean_and_deviation(features), 1, axis=0) for features in maps]
        target = normalized(maps[-1], mean_and_deviation(maps[-1]), style[-1])
        seen = self.encoder(self.decoder(target))
        return AdaINOutputs([ops.cast(features, "float32") for features in seen], target, style)

    def decoder_loss(self, seen: AdaINOutputs):
        """content + style, each with its weight, and the two by themselves (equations 11 to 13)."""
        spread = seen.target - ops.mean(seen.target, (1, 2), keepdims=True)
        content = _relative_error(seen.maps[-1] - seen.target, spread)
        found = [mean_and_deviation(features) for features in seen.maps]
        style = sum(_relative_error(mine - wanted, wanted) for mine, wanted in zip(found, seen.style, strict=True))
        style = style / len(found)
        return self.content_weight * content + self.style_weight * style, {"content": content, "style": style}

    def call(self, images, training=False):
        """Images (n, height, width, 3) in their own style: as they come back from the decoder."""
        return self.painted(images, images)

    def painted(self, images, styles):
        """Images, uint8 or float32 in [0, 1], (n, height, width, 3), each in the style of another, of any size."""
        features = self.encoded(images)
        return self._decoded(features, mean_and_deviation(features), self.moments(styles), ops.shape(images))

    def encoded(self, images):
        """The maps that are normalised, float32 (n, ⌈height / 4⌉, ⌈width / 4⌉, 4 width)."""
        return ops.cast(self.encoder(mirror_to_multiple(unit_range(images), STRIDE))[-1], "float32")

    def moments(self, images):
        """The mean and the deviation of each feature of images, (n, 8 width)."""
        return mean_and_deviation(self.encoded(images))

    def _decoded(self, features, own, style, shape):
        return self.decoder(normalized(features, own, style))[:, : shape[1], : shape[2]]

    def published_optimizers(self):
        return {"decoder": keras.optimizers.Adam(1e-4)}

    def before_after(self, images: np.ndarray) -> list[np.ndarray]:
        """Images (n, height, width, 3), and each in the style of the one before it."""
        shown = ops.convert_to_tensor(images)
        return [images, to_uint8(ops.convert_to_numpy(self.painted(shown, ops.roll(shown, 1, axis=0))))]

    # -- photographs of any size --------------------------------------------------------------------------------------

    def stylize(self, content, style, strength: float = 1.0) -> np.ndarray:
        """One photograph or a batch, of any size, in the style of a picture, in the type that came in.

        The moments of a photograph of more than 512 pixels a side are summed up over tiles, and it is then painted tile
        by tile with those of the whole, so that there is no seam.

        Args:
            content: uint8, uint16 or float32 in [0, 1], (height, width, 3) or a batch of them.
            style: One picture of the same types, (height, width, 1 or 3), of any size, or a batch with one for each
                photograph. Its moments are taken at 256 pixels of its shorter side, if it is larger.
            strength: From 0, what the decoder makes of the photograph itself, to 1 for the style alone (equation 14).

        Raises:
            ValueError: For another type, shape or range, another number of styles, or a strength outside [0, 1].
        """
        batch, single = as_photographs(content, (3,))
        if not 0 <= strength <= 1:
            raise ValueError(f"got strength={strength!r}; allowed: 0 to 1")
        goals = self._moments_of_style(style, len(batch))
        made = np.empty_like(batch)
        for i, (photo, goal) in enumerate(zip(batch, goals, strict=True)):
            own = self._moments_of_photo(photo)
            # The normalisation is linear in the style's moments: to mix these is to mix the features.
            mixed = own + strength * (goal - own)

            def painted(part, own=own, mixed=mixed):
                features = self.encoded(ops.convert_to_tensor(in_unit_range(part)))
                return in_type(ops.convert_to_numpy(self._decoded(features, own, mixed, part.shape)), part.dtype)

            made[i] = tiled(painted, photo, margin=MARGIN, stride=STRIDE, tile=TILE)
        return made[0] if single else made

    def _moments_of_style(self, style, n: int) -> np.ndarray:
        """Of one picture or n, (n, 8 width)."""
        picture, single = as_photographs(style, (1, 3))
        if not single and len(picture) != n:
            raise ValueError(f"got styles of shape {picture.shape}; allowed: one picture, or one for each of {n}")
        picture = to_channels(in_unit_range(picture), 3)
        ratio = min(1.0, STYLE / min(picture.shape[1:3]))
        size = tuple(max(1, round(ratio * side)) for side in picture.shape[1:3])
        picture = resized(picture, size).clip(0.0, 1.0)
        found = ops.convert_to_numpy(self.moments(ops.convert_to_tensor(picture)))
        return np.broadcast_to(found, (n, found.shape[1]))

    def _moments_of_photo(self, photo: np.ndarray) -> np.ndarray:
        """The mean and the deviation of each feature of the whole, from those of its tiles: (1, 8 width)."""
        sums, count = 0.0, 0
        for top in range(0, photo.shape[0], TILE):
            for left in range(0, photo.shape[1], TILE):
                part = photo[None, top : top + TILE, left : left + TILE]
                found = self.moments(ops.convert_to_tensor(in_unit_range(part)))
                mean, deviation = np.split(ops.convert_to_numpy(found).astype(np.float64), 2, axis=1)
                pixels = part.shape[1] * part.shape[2]
                sums, count = sums + pixels * np.stack([mean, deviation**2 + mean**2]), count + pixels
        mean, square = sums / count
        return np.concatenate([mean, np.sqrt(np.maximum(square - mean**2, 0.0))], axis=1).astype(np.float32)


def normalized(features, own, style):
    """Features (n, h, w, c) with their own mean and deviation exchanged for others, (n, 2 c) each (equation 8)."""
    (mean, deviation), (wanted_mean, wanted) = (ops.split(part[:, None, None], 2, axis=3) for part in (own, style))
    return (features - mean) / (deviation + 1e-3) * wanted + wanted_mean  # 1e-3: some features are 0 nearly everywhere


def _relative_error(error, wanted):
    """|error|^2 / |wanted|^2 over the batch: a style of one colour leaves next to nothing to compare with by itself."""
    return ops.sum(ops.square(error)) / (ops.sum(ops.square(wanted)) + TINY)
