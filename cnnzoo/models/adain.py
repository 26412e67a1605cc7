"""Arbitrary style transfer in one forward pass, with adaptive instance normalization (AdaIN).

Source: Huang and Belongie, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization", 2017,
arXiv:1703.06868.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from cnnzoo.imaging.arrays import in_type, in_unit_range, to_channels, to_uint8
from cnnzoo.imaging.color import with_luma
from cnnzoo.imaging.given_masks import as_missing
from cnnzoo.imaging.resampling import mirror_to_multiple
from cnnzoo.imaging.tiling import tiled
from cnnzoo.nn.batchnorm_folding import fold_batch_norm
from cnnzoo.nn.layers import pad_symmetric, unit_range, upsample_nearest
from cnnzoo.nn.losses import mean_and_deviation
from cnnzoo.phases import Phase, PhasedModel
from cnnzoo.registry import register
from cnnzoo.tasks.compiled import run
from cnnzoo.tasks.photo_inference import GRAIN, as_photographs, levels, units
from cnnzoo.tasks.pixel_optimizers import resized
from cnnzoo.tasks.sharing import Shared

STRIDE = 4  # pixels per position of the normalized map
MARGIN = 32  # receptive field radius of encoder and decoder, in pixels
TILE = 512
STYLE = 256  # shorter side of a style image in pixels, for its moments
TINY = 1e-6  # against division by zero for constant images


class AdaINOutputs(NamedTuple):
    """Feature maps of the stylized images, with the targets."""

    maps: list  # of the stylized images, (n, h, w, c), after the first convolution of each block
    target: Any  # for the last map
    style: list  # mean and standard deviation for each map, (n, 2 c)


class Encoder(keras.layers.Layer):
    """Images in [0, 1] to the maps after the first convolution of each of three blocks.

    The last map is at stride 4. The layers are those of `vgg_small`, with folded batch normalization.
    """

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.convs = _built([width, width, 2 * width, 2 * width, 4 * width], 3)
        self.built = True

    def call(self, images: Any) -> Any:
        x, maps = images, []
        for i, conv in enumerate(self.convs):
            x = ops.relu(conv(pad_symmetric(x, conv)))
            if i % 2 == 0:
                maps.append(x)
            else:
                x = ops.max_pool(x, 2, 2)
        return maps


class Decoder(keras.layers.Layer):
    """The encoder's last maps (n, h, w, 4 width) to images (n, 4 h, 4 w, 3) in [0, 1], mirroring its layers.

    Nearest-neighbor upsampling before convolutions avoids checkerboard artifacts. There is no normalization, since it
    would give all images one style (section 6.1).
    """

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.convs = _built([2 * width, 2 * width, width, width], 4 * width)
        self.last = _built([3], width, dtype="float32")[0]
        self.built = True

    def call(self, x: Any) -> Any:
        for i, conv in enumerate(self.convs):
            x = ops.relu(conv(pad_symmetric(x, conv)))
            if i % 2 == 0:
                x = upsample_nearest(x)
        return ops.sigmoid(self.last(pad_symmetric(x, self.last)))


def _built(sizes: list[int], channels: int, **options: Any) -> list[keras.layers.Conv2D]:
    """A list of built 3x3 convolutions."""
    convs = []
    for size in sizes:
        convs.append(keras.layers.Conv2D(size, 3, kernel_initializer="he_normal", **options))
        convs[-1].build((None, None, None, channels))
        channels = size
    return convs


@register("adain")
class AdaIN(Shared):
    """Transfers the mean and standard deviation of style features to content features, and decodes them.

    The input of the decoder g is t = d(F(s)) (F(c) - m(F(c))) / d(F(c)) + m(F(s)) (equation 8), with the last feature
    maps F(c) of the content and F(s) of the style, their means m and standard deviations d. Only the decoder is
    trained. The encoder is that of a classifier, copied by `init_from` and stored in the checkpoint. In training, the
    style of each photograph is the previous one in the batch; a batch needs at least two images.

    Minimizes a content loss and a style loss. The content loss is |F(g(t)) - t|^2 / |t - mean t|^2; the style loss is
    the mean over the maps of |S - S_s|^2 / |S_s|^2, with the mean and standard deviation S of each feature of g(t), and
    S_s of the style, and squares summed over the batch. Each is 1 for no agreement with its target.

    Args:
        width: Filters at full resolution, doubled at each downsampling.
        content_weight, style_weight: Weights of the two terms.
        image_shape: (None, None, 3) for photographs of any size.

    Raises:
        ValueError: For another shape.
    """

    task = "stylize"
    least_batch = 2  # the style is the previous image of the batch
    log_names = ("content", "style")

    def __init__(
        self,
        *,
        width: int = 32,
        content_weight: float = 1.0,
        style_weight: float = 10.0,
        image_shape: Sequence[Any] = (None, None, 3),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if tuple(image_shape) != (None, None, 3):
            raise ValueError(f"`image_shape` must be (None, None, 3). Received: {image_shape}")
        self.width, self.image_shape = width, tuple(image_shape)
        self.content_weight, self.style_weight = content_weight, style_weight
        self.encoder = Encoder(width, name="encoder")
        self.encoder.trainable = False
        self.decoder = Decoder(width, name="decoder")
        self.build()

    def init_from(self, other: PhasedModel) -> None:
        """Copies the encoder from a classifier, or all weights from another `adain`.

        Raises:
            ValueError: For a classifier with different first convolutions.
        """
        if isinstance(other, AdaIN):
            return super().init_from(other)
        backbone = getattr(other, "backbone", None)
        theirs = [] if backbone is None else fold_batch_norm(backbone).layers
        convs = [layer for layer in theirs if isinstance(layer, keras.layers.Conv2D)][: len(self.encoder.convs)]
        mine = self.encoder.convs
        if [conv.kernel.shape for conv in convs] != [conv.kernel.shape for conv in mine]:
            raise ValueError(f"'adain' must begin with a vgg_small of equal width. Received: {other.architecture!r}")
        for conv, source in zip(mine, convs, strict=True):
            conv.set_weights([source.kernel, source.bias if source.use_bias else np.zeros(conv.filters, np.float32)])

    def phases(self) -> list[Phase]:
        return [Phase("decoder", [self.decoder], self.decoder_loss)]

    def forward(self, images: Any, labels: Any, training: bool) -> AdaINOutputs:
        images = mirror_to_multiple(images, STRIDE)
        maps = [ops.cast(features, "float32") for features in self.encoder(images)]
        style = [ops.roll(mean_and_deviation(features), 1, axis=0) for features in maps]
        target = normalized(maps[-1], mean_and_deviation(maps[-1]), style[-1])
        seen = self.encoder(self.decoder(target))
        return AdaINOutputs([ops.cast(features, "float32") for features in seen], target, style)

    def decoder_loss(self, seen: AdaINOutputs) -> Any:
        """The weighted sum of content and style loss, and both terms (equations 11 to 13)."""
        spread = seen.target - ops.mean(seen.target, (1, 2), keepdims=True)
        content = _relative_error(seen.maps[-1] - seen.target, spread)
        found = [mean_and_deviation(features) for features in seen.maps]
        style = sum(_relative_error(mine - wanted, wanted) for mine, wanted in zip(found, seen.style, strict=True))
        style = style / len(found)
        return self.content_weight * content + self.style_weight * style, {"content": content, "style": style}

    def call(self, images: Any, training: bool = False) -> Any:
        """Images (n, height, width, 3) in their own style: a reconstruction."""
        return self.painted(images, images)

    def painted(self, images: Any, styles: Any) -> Any:
        """Images, uint8 or float32 in [0, 1], (n, height, width, 3), each in the style of another image of any size."""
        features = self.encoded(images)
        return self._decoded(features, mean_and_deviation(features), self.moments(styles), ops.shape(images))

    def encoded(self, images: Any) -> Any:
        """The feature map for AdaIN, float32 (n, ⌈height / 4⌉, ⌈width / 4⌉, 4 width)."""
        return ops.cast(self.encoder(mirror_to_multiple(unit_range(images), STRIDE))[-1], "float32")

    def moments(self, images: Any) -> Any:
        """The mean and standard deviation of each feature, (n, 8 width)."""
        return mean_and_deviation(self.encoded(images))

    def _decoded(self, features: Any, own: Any, style: Any, shape: Any) -> Any:
        return self.decoder(normalized(features, own, style))[:, : shape[1], : shape[2]]

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return {"decoder": keras.optimizers.Adam(1e-4)}

    def before_after(self, images: np.ndarray) -> list[np.ndarray]:
        """Images (n, height, width, 3), and each in the style of the previous one."""
        shown = ops.convert_to_tensor(images)
        return [images, to_uint8(ops.convert_to_numpy(self.painted(shown, ops.roll(shown, 1, axis=0))))]

    # -- photographs of any size --------------------------------------------------------------------------------------

    def stylize(
        self, content: Any, style: Any, strength: float = 1.0, *, mask: Any = None, keep_color: bool = False
    ) -> np.ndarray:
        """Stylizes one photograph or a batch, of any size, by a style image, in the input dtype.

        Above 512 pixels a side, moments are accumulated over tiles, and tiles are stylized with the moments of the
        whole photograph, without seams.

        Args:
            content: uint8, uint16 or float32 in [0, 1], (height, width, 3) or a batch of them.
            style: One image of the same dtypes, (height, width, 1 or 3), of any size, or a batch with one per
                photograph. Larger images are resized to a shorter side of 256 pixels.
            strength: From 0, the reconstruction of the photograph, to 1, the full style (equation 14).
            mask, keep_color: See `cnnzoo.models.fast_style.FastStyle.stylize`.

        Raises:
            ValueError: For another type, shape, range or mask, another number of styles, or a strength outside [0, 1].
        """
        batch, single = as_photographs(content, (3,))
        masks = None if mask is None else as_missing(mask, batch.shape[:3])
        if not 0 <= strength <= 1:
            raise ValueError(f"`strength` must be between 0 and 1. Received: {strength!r}")
        goals = self._moments_of_style(style, len(batch))
        made = np.empty_like(batch)
        for i, (photo, goal) in enumerate(zip(batch, goals, strict=True)):
            own = self._moments_of_photo(photo)
            # AdaIN is linear in the moments of the style: mixing moments equals mixing features.
            mixed = (own + strength * (goal - own)).astype(np.float32)

            def painted(part: Any, own: Any = own, mixed: Any = mixed) -> Any:
                return run(self, _painted, part, own, mixed)

            made[i] = tiled(painted, photo, margin=MARGIN, stride=STRIDE, tile=TILE, grain=GRAIN)
            if keep_color:
                luma = to_channels(in_unit_range(made[i : i + 1]), 1)
                made[i] = in_type(with_luma(in_unit_range(photo[None]), luma)[0].clip(0.0, 1.0), batch.dtype)
        made = made if masks is None else np.where(masks, made, batch)
        return made[0] if single else made

    def _moments_of_style(self, style: Any, n: int) -> np.ndarray:
        """The moments of one style image or n, (n, 8 width)."""
        picture, single = as_photographs(style, (1, 3))
        if not single and len(picture) != n:
            raise ValueError(
                f"`style` must be one picture, or one for each of {n} images. Received: shape {picture.shape}"
            )
        picture = to_channels(in_unit_range(picture), 3)
        ratio = min(1.0, STYLE / min(picture.shape[1:3]))
        size = tuple(max(1, round(ratio * side)) for side in picture.shape[1:3])
        picture = resized(picture, size).clip(0.0, 1.0)
        found = run(self, _moments, picture)
        return np.broadcast_to(found, (n, found.shape[1]))

    def _moments_of_photo(self, photo: np.ndarray) -> np.ndarray:
        """The mean and standard deviation of each feature of a photograph, accumulated over tiles: (1, 8 width)."""
        sums: Any = 0.0
        count = 0
        for top in range(0, photo.shape[0], TILE):
            for left in range(0, photo.shape[1], TILE):
                part = photo[None, top : top + TILE, left : left + TILE]
                mean, deviation = np.split(run(self, _moments, part).astype(np.float64), 2, axis=1)
                pixels = part.shape[1] * part.shape[2]
                sums, count = sums + pixels * np.stack([mean, deviation**2 + mean**2]), count + pixels
        mean, square = sums / count
        return np.concatenate([mean, np.sqrt(np.maximum(square - mean**2, 0.0))], axis=1).astype(np.float32)


def normalized(features: Any, own: Any, style: Any) -> Any:
    """AdaIN: features (n, h, w, c) with their moments replaced by those of a style, (n, 2 c) each (equation 8)."""
    (mean, deviation), (wanted_mean, wanted) = (ops.split(part[:, None, None], 2, axis=3) for part in (own, style))
    return (features - mean) / (deviation + 1e-3) * wanted + wanted_mean  # 1e-3: some features are nearly 0


def _moments(model: AdaIN, images: Any) -> Any:
    """The moments of images in their dtype."""
    return model.moments(units(images))


def _painted(model: AdaIN, part: Any, own: Any, style: Any) -> Any:
    """A tile, in its dtype, with the moments `own` replaced by those of a style."""
    made = model._decoded(model.encoded(units(part)), own, style, ops.shape(part))
    return levels(made, keras.backend.standardize_dtype(part.dtype))


def _relative_error(error: Any, wanted: Any) -> Any:
    """|error|^2 / |wanted|^2, summed over the batch, for stability with constant style images."""
    return ops.sum(ops.square(error)) / (ops.sum(ops.square(wanted)) + TINY)
