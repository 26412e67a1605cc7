"""Style transfer by optimization of the pixels.

Source: Gatys et al., "Image Style Transfer Using Convolutional Neural Networks", 2016, doi:10.1109/CVPR.2016.265.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any

import keras
import numpy as np
from keras import ops

from cnnzoo.features.maps import FeatureMaps
from cnnzoo.imaging.arrays import in_type, in_unit_range, to_channels, to_uint8
from cnnzoo.imaging.color import with_luma
from cnnzoo.imaging.given_masks import as_missing
from cnnzoo.nn.layers import unit_range
from cnnzoo.phases import Phase
from cnnzoo.registry import register
from cnnzoo.tasks.photo_inference import as_photographs
from cnnzoo.tasks.pixel_optimizers import OPTIMIZERS, coarse_to_fine, resized
from cnnzoo.tasks.stylizer import TINY, StyleOutputs, Stylizer, Targets
from cnnzoo.utils.checks import check_integer

COARSEST = 64  # shorter side of the coarsest scale, in pixels


class Picture(keras.layers.Layer):
    """One image as a trainable weight in [0, 1], initialized by white noise."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__(name="picture", dtype="float32")
        start = keras.initializers.RandomUniform(0.0, 1.0)
        self.pixels = self.add_weight(shape, start, name="pixels", constraint=_in_range)
        self.built = True


def _in_range(pixels: Any) -> Any:
    return ops.clip(pixels, 0.0, 1.0)


@register("style_transfer")
class StyleTransfer(Stylizer):
    """Minimizes content + style + total variation over the pixels of one image; see `Stylizer`.

    `stylize` handles images of any size without changing the model. `fit(contents, styles)` trains the model's own
    image, of the configured size, with any optimizer and callbacks of Keras; by default with the contents as styles.
    Several contents or styles are averaged.

    Args:
        image_shape: (height, width, 3) of the image trained by `fit`.
        **config: See `cnnzoo.tasks.stylizer.Stylizer`: network, statistic and the three weights.

    Raises:
        ValueError, DataNotFound: For an unknown statistic, or as `cnnzoo.features.maps.FeatureMaps`.
    """

    ships = False
    takes_targets = True

    def __init__(self, *, image_shape: Sequence[Any] = (64, 64, 3), **config: Any) -> None:
        super().__init__(**config)
        self.image_shape = tuple(image_shape)
        self.maps = FeatureMaps(self.network)
        self.picture = Picture(self.image_shape)
        self.build()

    def phases(self) -> list[Phase]:
        return [Phase("picture", [self.picture], self.stylization_loss)]

    def forward(self, images: Any, labels: Any, training: bool) -> StyleOutputs:
        picture = ops.convert_to_tensor(self.picture.pixels)[None]  # (1, height, width, 3)
        content = self.maps.features(images)
        pictures = labels is not None and len(labels.shape) == 4  # not class labels
        style = self.maps.features(labels) if pictures else content
        return StyleOutputs(picture, self.maps.features(picture), self.targets(content, style))

    def targets(self, content: dict, style: dict, places: Any = None) -> Targets:
        """The targets of content and style.

        Args:
            content, style: Feature maps by layer, for equal numbers of contents and styles.
            places: Mask of the pixels to stylize, (n, height, width, 1); None for all.
        """
        names = self.maps.style_layers
        weights = [None if places is None else _shares_of_places(places, content[name]) for name in names]
        return Targets(content[self.maps.content_layer], self.statistics(style), weights)

    def call(self, images: Any, training: bool = False) -> Any:
        """The image, repeated for each input."""
        return self.picture.pixels + ops.zeros_like(unit_range(images))

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return {"picture": keras.optimizers.Adam(0.02)}

    def before_after(self, images: np.ndarray) -> list[np.ndarray]:
        """Images (n, height, width, 3), and the trained image for each."""
        return [images, to_uint8(ops.convert_to_numpy(self(images)))]

    # -- pictures of any size -----------------------------------------------------------------------------------------

    def stylize(
        self,
        content: Any,
        style: Any,
        *,
        weights: Sequence[float] | None = None,
        mask: Any = None,
        keep_color: bool = False,
        optimizer: str = "lbfgs",
        steps: int = 100,
        scales: int | None = None,
        side: int = 1024,
        progress: Callable[[int, int, np.ndarray], None] | None = None,
    ) -> np.ndarray:
        """Stylizes one photograph or a batch, of any size, by style images, in the input dtype.

        Coarse to fine: the optimization starts at a fraction of the size, for speed and large strokes, and doubles the
        size up to the full one.

        Args:
            content: uint8, uint16 or float32 in [0, 1], (height, width, 3) or a batch of them; or a path, a Pillow
                image or a list of them, returned as uint8, or uint16 for 16 bits.
            style: An image (height, width, 1 or 3) of any size, a path or a Pillow image; or a list, to mix them.
            weights: One weight per style, normalized to sum 1; equal by default.
            mask: Nonzero for pixels to stylize, as numbers or booleans: (height, width[, 1]) for all images, or
                (n, height, width[, 1]), or a path or a Pillow image. Other pixels are unchanged, bit for bit.
            keep_color: Stylize only the luma, with the style's luma matched to the mean and standard deviation of the
                content, and keep the chroma, except outside the RGB gamut.
            optimizer: "lbfgs" or "adam".
            steps: Evaluations of the loss per scale.
            scales: Number of scales, each half the size of the next; by default down to 64 pixels.
            side: Maximum side of the optimized image, in pixels. For larger contents, its change is upsampled; memory
                and time grow with its square.
            progress: Called after each evaluation with the finished evaluations, their total and the current image,
                float32 (h, w, 1 or 3) at the current scale.

        Raises:
            ValueError: For another dtype, shape, range or mask, no style, invalid weights, an unknown optimizer, steps
                < 1, or images too small for the network or the number of scales.

        Source: Gatys et al., "Preserving Color in Neural Artistic Style Transfer", 2016, section 4, for the colors.
        """
        batch, single = as_photographs(content, (3,))
        styles, shares = _checked_styles(style, weights)
        masks = None if mask is None else as_missing(mask, batch.shape[:3])
        sizes = self._sizes(batch.shape[1:3], scales, side)
        if optimizer not in OPTIMIZERS:
            raise ValueError(f"`optimizer` must be one of {', '.join(OPTIMIZERS)}. Received: {optimizer!r}")
        check_integer("steps", steps, 1)
        evaluations, total = count(1), len(batch) * len(sizes) * steps

        def watch(picture: Any) -> None:
            done = next(evaluations)
            if progress is not None:
                progress(min(done, total), total, picture[0])

        made = np.empty(batch.shape, np.float32)
        for i, image in enumerate(in_unit_range(batch)):
            image, goals = image[None], styles
            if keep_color:
                gray = to_channels(image, 1)
                goals = [_with_moments_of(gray, to_channels(style, 1)) for style in styles]
            objective = partial(self.objective, styles=goals, shares=shares, mask=None if masks is None else masks[i])
            painted = coarse_to_fine(objective, gray if keep_color else image, sizes, optimizer, steps, watch)
            made[i] = with_luma(image, painted)[0] if keep_color else painted[0]
        made = in_type(made.clip(0.0, 1.0), batch.dtype)
        made = made if masks is None else np.where(masks, made, batch)
        return made[0] if single else made

    def objective(
        self, content: Any, styles: Sequence[np.ndarray], shares: Sequence[float], mask: Any = None
    ) -> Callable:
        """The loss as a function of an image of the shape of the content: float32 to a scalar.

        Args:
            content: float32 in [0, 1], (1, height, width, 1 or 3).
            styles: Likewise, of any size; each is resized to the number of pixels of the content.
            shares: Weights of the styles, with sum 1. Mixing the statistics is equivalent to mixing the losses.
            mask: Booleans (height, width, 1) at any size, true for pixels to stylize.
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

        def loss(picture: Any) -> Any:
            shown = picture if places is None else ops.where(places > 0, picture, content)
            return ops.mean(self.stylization_loss(StyleOutputs(shown, self.maps.features(shown), targets))[0])

        return loss

    def _sizes(self, sides: tuple[int, int], scales: int | None, side: int) -> list[tuple[int, int]]:
        """The image size of each scale, in ascending order."""
        least, ratio = self.maps.least_side, min(1.0, side / max(sides))
        painted = [round(ratio * s) for s in sides]
        shorter = min(painted)
        if shorter < least:
            size = f"{sides[1]}x{sides[0]} pixels" + (f" and side={side}" if ratio < 1 else "")
            raise ValueError(
                f"The content for {self.network!r} must have {least} pixels or more a side. Received: {size}"
            )
        most = (shorter // least).bit_length()
        if scales is None:
            scales = max(1, (shorter // max(COARSEST, least)).bit_length())
        if not 1 <= scales <= most:
            raise ValueError(
                f"`scales` must be between 1 and {most} for {painted[1]}x{painted[0]} pixels. Received: {scales!r}"
            )
        return [(painted[0] >> scale, painted[1] >> scale) for scale in reversed(range(scales))]


def _shares_of_places(places: Any, like: Any) -> Any:
    """A mask (n, height, width, 1) resized to a feature map, with sum 1."""
    weights = ops.image.resize(places, like.shape[1:3], interpolation="bilinear", antialias=True)
    return weights / ops.sum(weights, axis=(1, 2, 3), keepdims=True)


def _checked_styles(style: Any, weights: Any) -> tuple[list[np.ndarray], list[float]]:
    """The styles as float32 (1, height, width, 3) each, and their normalized weights."""
    listed = style if isinstance(style, (list, tuple)) else [style]
    if not listed:
        raise ValueError(f"`style` must be one picture, or a list of them. Received: {style!r}")
    weights = [1.0] * len(listed) if weights is None else list(weights)
    if len(weights) != len(listed) or not all(weight > 0 for weight in weights):
        raise ValueError(
            f"`weights` must be one number > 0 for each style. Received: {weights} for {len(listed)} styles"
        )
    styles = []
    for i, picture in enumerate(listed):
        batch, single = as_photographs(picture, (1, 3))
        if not single:
            raise ValueError(
                f"`style` must be one picture, or a list of them. Received: style {i} of shape {batch.shape}"
            )
        styles.append(to_channels(in_unit_range(batch), 3))
    return styles, [weight / sum(weights) for weight in weights]


def _with_moments_of(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """`others` with the mean and standard deviation of `images`."""
    return (others - others.mean()) * (images.std() / (others.std() + TINY)) + images.mean()
