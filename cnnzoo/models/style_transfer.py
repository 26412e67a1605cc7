"""Style transfer by optimisation: the picture itself is what is trained.

Source: Gatys et al., "Image Style Transfer Using Convolutional Neural Networks", 2016, doi:10.1109/CVPR.2016.265.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count

import keras
import numpy as np
from keras import ops

from cnnzoo.features.maps import FeatureMaps
from cnnzoo.imaging.arrays import to_channels, to_uint8
from cnnzoo.imaging.color import with_luma
from cnnzoo.imaging.masks import as_missing
from cnnzoo.nn.layers import unit_range
from cnnzoo.phases import Phase
from cnnzoo.registry import register
from cnnzoo.tasks.photo_inference import as_photographs, in_type, in_unit_range
from cnnzoo.tasks.pixel_optimizers import OPTIMIZERS, coarse_to_fine, resized
from cnnzoo.tasks.stylizer import TINY, StyleOutputs, Stylizer, Targets

COARSEST = 64  # pixels of the shorter side of the smallest picture to begin with


class Picture(keras.layers.Layer):
    """One picture as a weight, kept in [0, 1]; it begins as white noise."""

    def __init__(self, shape: tuple[int, int, int]):
        super().__init__(name="picture", dtype="float32")
        start = keras.initializers.RandomUniform(0.0, 1.0)
        self.pixels = self.add_weight(shape, start, name="pixels", constraint=_in_range)
        self.built = True


def _in_range(pixels):
    return ops.clip(pixels, 0.0, 1.0)


@register("style_transfer")
class StyleTransfer(Stylizer):
    """Minimises content + style + total variation over the pixels of one picture; see `Stylizer`.

    `stylize` makes pictures of any size and leaves the model as it is. `fit(contents, styles)` trains the model's own
    picture, whose size is in its configuration, with any optimizer and callbacks of Keras; without styles, those of the
    contents are taken. It sees several contents or styles as one in between.

    Args:
        image_shape: (height, width, 3) of the picture that `fit` trains.
        **config: See `cnnzoo.tasks.stylizer.Stylizer`: network, statistic and the three weights.

    Raises:
        ValueError, DataNotFound: For an unknown statistic, or as `cnnzoo.features.maps.FeatureMaps`.
    """

    ships = False
    takes_targets = True

    def __init__(self, *, image_shape=(64, 64, 3), **config):
        super().__init__(**config)
        self.image_shape = tuple(image_shape)
        self.maps = FeatureMaps(self.network)
        self.picture = Picture(self.image_shape)
        self.build()

    def phases(self):
        return [Phase("picture", [self.picture], self.stylization_loss)]

    def forward(self, images, labels, training):
        picture = ops.convert_to_tensor(self.picture.pixels)[None]  # (1, height, width, 3)
        content = self.maps.features(images)
        pictures = labels is not None and len(labels.shape) == 4  # rather than the classes of a data set
        style = self.maps.features(labels) if pictures else content
        return StyleOutputs(picture, self.maps.features(picture), self.targets(content, style))

    def targets(self, content: dict, style: dict, places=None) -> Targets:
        """What a picture is to be like.

        Args:
            content, style: The maps of as many contents and styles, by their layers.
            places: (n, height, width, 1), more than 0 where of the contents the style goes; everywhere if None.
        """
        names = self.maps.style_layers
        weights = [None if places is None else _shares_of_places(places, content[name]) for name in names]
        return Targets(content[self.maps.content_layer], self.statistics(style), weights)

    def call(self, images, training=False):
        """The picture, once for each of the images."""
        return self.picture.pixels + ops.zeros_like(unit_range(images))

    def published_optimizers(self):
        return {"picture": keras.optimizers.Adam(0.02)}

    def before_after(self, images: np.ndarray) -> list[np.ndarray]:
        """Images (n, height, width, 3), and the picture beside each."""
        return [images, to_uint8(ops.convert_to_numpy(self(images)))]

    # -- pictures of any size -----------------------------------------------------------------------------------------

    def stylize(
        self,
        content,
        style,
        *,
        weights: Sequence[float] | None = None,
        mask=None,
        keep_color: bool = False,
        optimizer: str = "lbfgs",
        steps: int = 100,
        scales: int | None = None,
        side: int = 1024,
        progress: Callable[[int, int, np.ndarray], None] | None = None,
    ) -> np.ndarray:
        """One photograph or a batch, of any size, in the style of other pictures, in the type that came in.

        It begins with the content at a fraction of its size, where a picture is painted sooner and with larger strokes,
        and goes on at twice the size until that is the whole.

        Args:
            content: uint8, uint16 or float32 in [0, 1], (height, width, 3) or a batch of them; or a path, a Pillow
                image or a list of them, which come back as uint8, or uint16 where they have 16 bits.
            style: A picture (height, width, 1 or 3) of any size, a path or a Pillow image; or a list, to be mixed.
            weights: How much of each style; equally much by default. Their sum does not matter.
            mask: Not 0 where the style goes, as numbers or booleans: (height, width[, 1]) for all images, or
                (n, height, width[, 1]), or a path or a Pillow image. Elsewhere the content stays, bit for bit.
            keep_color: Change the luma alone, towards that of the style with the content's mean and deviation. The
                chroma stays that of the content, but where no colour in [0, 1] has both.
            optimizer: "lbfgs" or "adam".
            steps: Evaluations of the loss at each scale.
            scales: How many, each half as large as the one before; as many as leave 64 pixels by default.
            side: The largest that is painted, in pixels. To a larger content the change is brought that was found at
                this size; memory and time grow with its square.
            progress: Called after each evaluation with those done, those to do in all and the picture as it is,
                float32 (h, w, 1 or 3) at the size that is worked on.

        Raises:
            ValueError: For another type, shape, range or mask, no style, weights that are not one above 0 for each, an
                unknown optimizer, steps < 1, or pictures that are too small for the network or for so many scales.

        Source: Gatys et al., "Preserving Color in Neural Artistic Style Transfer", 2016, section 4, for the colours.
        """
        batch, single = as_photographs(content, (3,))
        styles, shares = _checked_styles(style, weights)
        masks = None if mask is None else as_missing(mask, batch.shape[:3])
        sizes = self._sizes(batch.shape[1:3], scales, side)
        if optimizer not in OPTIMIZERS:
            raise ValueError(f"got optimizer={optimizer!r}; allowed: {', '.join(OPTIMIZERS)}")
        if steps < 1:
            raise ValueError(f"got steps={steps!r}; allowed: steps >= 1")
        evaluations, total = count(1), len(batch) * len(sizes) * steps

        def watch(picture):
            done = next(evaluations)
            if progress is not None:
                progress(min(done, total), total, picture[0])

        made = np.empty(batch.shape, np.float32)
        for i, image in enumerate(in_unit_range(batch)):
            image, goals = image[None], styles
            if keep_color:
                grey = to_channels(image, 1)
                goals = [_with_moments_of(grey, to_channels(style, 1)) for style in styles]
            objective = partial(self.objective, styles=goals, shares=shares, mask=None if masks is None else masks[i])
            painted = coarse_to_fine(objective, grey if keep_color else image, sizes, optimizer, steps, watch)
            made[i] = with_luma(image, painted)[0] if keep_color else painted[0]
        made = in_type(made.clip(0.0, 1.0), batch.dtype)
        made = made if masks is None else np.where(masks, made, batch)
        return made[0] if single else made

    def objective(self, content, styles: Sequence[np.ndarray], shares: Sequence[float], mask=None) -> Callable:
        """The loss as a function of a picture of the shape of the content: float32 to a scalar.

        Args:
            content: float32 in [0, 1], (1, height, width, 1 or 3).
            styles: The same, of any size; each is brought to as many pixels as the content has.
            shares: Of each style; their sum is 1. The statistics are mixed, which is the same as to mix the losses.
            mask: Booleans (height, width, 1) of the whole content at any size, where the style goes.
        """
        height, width = content.shape[1:3]
        places = None
        if mask is not None:
            places = (resized(mask[None].astype(np.float32), (height, width), "bilinear") > 0).astype(np.float32)
        found, seen = [], self.maps.features(content)
        for style in styles:
            ratio = math.sqrt(height * width / (style.shape[1] * style.shape[2]))
            size = tuple(max(self.maps.least_side, round(ratio * side)) for side in style.shape[1:3])
            found.append(self.targets(seen, self.maps.features(resized(style, size).clip(0.0, 1.0)), places))
        layers = zip(*(targets.style for targets in found), strict=True)
        mixed = [sum(share * statistic for share, statistic in zip(shares, layer, strict=True)) for layer in layers]
        targets = found[0]._replace(style=mixed)

        def loss(picture):
            shown = picture if places is None else ops.where(places > 0, picture, content)
            return ops.mean(self.stylization_loss(StyleOutputs(shown, self.maps.features(shown), targets))[0])

        return loss

    def _sizes(self, sides: tuple[int, int], scales: int | None, side: int) -> list[tuple[int, int]]:
        """The sizes of the pictures that are painted, the smallest first."""
        least, ratio = self.maps.least_side, min(1.0, side / max(sides))
        painted = [round(ratio * s) for s in sides]
        shorter = min(painted)
        if shorter < least:
            size = f"{sides[1]}x{sides[0]} pixels" + (f" and side={side}" if ratio < 1 else "")
            raise ValueError(f"got a content of {size}; allowed by {self.network!r}: {least} and more a side")
        most = (shorter // least).bit_length()
        if scales is None:
            scales = max(1, (shorter // max(COARSEST, least)).bit_length())
        if not 1 <= scales <= most:
            raise ValueError(f"got scales={scales!r}; allowed: 1 to {most} for {painted[1]}x{painted[0]} pixels")
        return [tuple(s >> scale for s in painted) for scale in reversed(range(scales))]


def _shares_of_places(places, like):
    """Places (n, height, width, 1) at the size of a map, with the sum 1."""
    weights = ops.image.resize(places, like.shape[1:3], interpolation="bilinear", antialias=True)
    return weights / ops.sum(weights, axis=(1, 2, 3), keepdims=True)


def _checked_styles(style, weights) -> tuple[list[np.ndarray], list[float]]:
    """The styles as float32 (1, height, width, 3) each, and their shares."""
    listed = style if isinstance(style, (list, tuple)) else [style]
    weights = [1.0] * len(listed) if weights is None else list(weights)
    if len(listed) == 0 or len(weights) != len(listed) or not all(weight > 0 for weight in weights):
        raise ValueError(f"got {len(listed)} styles and weights={weights}; allowed: one above 0 for each style")
    styles = []
    for i, picture in enumerate(listed):
        batch, single = as_photographs(picture, (1, 3))
        if not single:
            raise ValueError(f"got style {i} of shape {batch.shape}; allowed: one picture, or a list of them")
        styles.append(to_channels(in_unit_range(batch), 3))
    return styles, [weight / sum(weights) for weight in weights]


def _with_moments_of(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Others with the mean and deviation of images."""
    return (others - others.mean()) * (images.std() / (others.std() + TINY)) + images.mean()
