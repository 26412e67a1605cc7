"""Fast style transfer: a feed-forward network for a fixed set of styles.

Source: Johnson et al., "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", 2016, arXiv:1603.08155;
several styles in one network: Dumoulin et al., "A Learned Representation for Artistic Style", 2017, arXiv:1610.07629;
Ulyanov et al., "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016, arXiv:1607.08022; the
adversarial phase: Li and Wand, "Precomputed Real-Time Texture Synthesis with Markovian Generative Adversarial
Networks", 2016, arXiv:1604.04382.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from cnnzoo.features.maps import FeatureMaps
from cnnzoo.imaging.arrays import in_type, in_unit_range, style_weights, to_channels, to_uint8
from cnnzoo.imaging.color import with_luma
from cnnzoo.imaging.given_masks import as_missing
from cnnzoo.imaging.resampling import mirror_to_multiple
from cnnzoo.nn import gan_losses
from cnnzoo.nn.layers import PACKAGE, ReplicaSeedGenerator, SpectralConv2D, pad_symmetric, unit_range, upsample_nearest
from cnnzoo.nn.replicas import each_row, same_everywhere
from cnnzoo.phases import Phase, PhasedModel
from cnnzoo.registry import register
from cnnzoo.tasks.compiled import in_batches
from cnnzoo.tasks.inference import one_hot_in_turn
from cnnzoo.tasks.painting_strips import Progress, paint_in_strips
from cnnzoo.tasks.photo_inference import as_photographs, levels, units
from cnnzoo.tasks.pixel_optimizers import resized
from cnnzoo.tasks.stylizer import StyleOutputs, Stylizer, Targets
from cnnzoo.utils.lazy import lazy

STRIDE = 4  # pixels per position in the residual blocks
PAINTING = 256  # shorter side of a painting in training, in pixels
WHOLE = 2**21  # maximum pixels without strips
AT_ONCE = 2**18  # pixels of small photographs that are painted at once


@keras.saving.register_keras_serializable(PACKAGE)
class ConditionalInstanceNormalization(keras.layers.Layer):
    """Instance normalization of maps (n, h, w, c) with style-dependent scale and shift.

    Scales and shifts are mixed by style weights (n, styles) (equation 5). For a part of larger maps, their moments
    (mean, variance), each (c,), may be given.

    Source: Dumoulin et al., 2017, section 2.2.
    """

    def __init__(self, styles: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.styles = styles

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight((self.styles, shape[-1]), "ones", name="scale")
        self.shift = self.add_weight((self.styles, shape[-1]), "zeros", name="shift")

    def call(self, x: Any, mix: Any, moments: Any = None) -> Any:
        scale, shift = (ops.matmul(mix, table)[:, None, None] for table in (self.scale, self.shift))  # (n, 1, 1, c)
        wide = ops.cast(x, "float32")  # a mean over many positions
        mean, variance = moments or ops.moments(wide, (1, 2), keepdims=True)
        normal = (wide - mean) * ops.rsqrt(variance + 1e-5)
        return ops.cast(normal * ops.cast(scale, "float32") + ops.cast(shift, "float32"), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "styles": self.styles}


class Painter(keras.layers.Layer):
    """Photographs (n, height, width, 3) in [0, 1] and weights (n, styles) to paintings in [0, 1], of the same shape.

    An encoder to stride 4, residual blocks, and a decoder with nearest-neighbor upsampling before convolutions, against
    checkerboard artifacts (Odena et al., "Deconvolution and Checkerboard Artifacts", 2016).

    Args:
        styles: Number of styles.
        width: Filters at full resolution, doubled at each downsampling.
        blocks: Number of residual blocks.
    """

    def __init__(self, styles: int, width: int, blocks: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        sizes = [(width, 5, 1), (2 * width, 3, 2), (4 * width, 3, 2), *[(4 * width, 3, 1)] * (2 * blocks)]
        sizes += [(2 * width, 3, 1), (width, 3, 1)]
        self.convs = [keras.layers.Conv2D(n, size, strides, use_bias=False) for n, size, strides in sizes]
        self.norms = [ConditionalInstanceNormalization(styles) for _ in sizes]
        self.last = keras.layers.Conv2D(3, 5, activation="sigmoid", dtype="float32")
        channels = 3
        for conv, norm in zip(self.convs, self.norms, strict=True):
            conv.build((None, None, None, channels))
            channels = conv.filters
            norm.build((None, None, None, channels))
        self.last.build((None, None, None, channels))
        self.blocks, self.stride = blocks, STRIDE
        self.built = True

    def call(self, images: Any, mix: Any) -> Any:
        height, width = ops.shape(images)[1:3]
        layers = list(zip(self.convs, self.norms, strict=True))
        x = 2.0 * mirror_to_multiple(images, STRIDE) - 1.0
        for conv, norm in layers[:3]:
            x = ops.relu(norm(conv(pad_symmetric(x, conv)), mix))  # (n, height / 4, width / 4, 4 width) at last
        x = self.middle(x, mix)
        for conv, norm in layers[-2:]:
            x = ops.relu(norm(conv(pad_symmetric(upsample_nearest(x), conv)), mix))  # (n, height, width, width) at last
        return self.last(pad_symmetric(x, self.last))[:, :height, :width]

    def middle(self, x: Any, mix: Any) -> Any:
        """The residual blocks."""
        layers = zip(self.convs[3:-2], self.norms[3:-2], strict=True)
        for (first, normal), (second, last_normal) in zip(layers, layers, strict=True):
            y = ops.relu(normal(first(pad_symmetric(x, first)), mix))
            x = x + last_normal(second(pad_symmetric(y, second)), mix)
        return x


class StylePass:
    """Photographs and their stylized versions, in one training step; quantities are computed lazily, once."""

    def __init__(self, model: "FastStyle", images: Any, training: bool) -> None:
        self.model, self.images, self.training = model, images, training
        self.styles = max(1, len(model.styles))
        n = ops.shape(images)[0]
        noise = model.noise
        self.chosen = (
            each_row(lambda n, s: keras.random.randint((n,), 0, self.styles, seed=s), n, noise)
            if training
            else ops.arange(n) % self.styles
        )
        self.mix = ops.one_hot(self.chosen, self.styles, dtype="float32")  # (n, styles)

    @lazy
    def painted(self) -> Any:
        """(n, height, width, 3) in [0, 1]."""
        return self.model.painter(self.images, self.mix)

    @lazy
    def seen(self) -> StyleOutputs:
        if self.model.styles and not self.model.goals:
            raise ValueError(
                "The style targets must be set first, by set_style_targets({name: picture}). Received: none of "
                f"{', '.join(self.model.styles)}"
            )
        maps = self.model.maps
        content = maps.features(self.images)
        style = [ops.take(goal, self.chosen, axis=0) for goal in self.model.goals] or self.model.statistics(content)
        targets = Targets(content[maps.content_layer], style, [None] * len(style))
        return StyleOutputs(self.painted, maps.features(self.painted), targets)

    @lazy
    def parts(self) -> Any:
        """Random crops of the paintings, of the size of the photographs; without paintings, the photographs."""
        canvas = self.model.canvas
        if canvas is None:
            return self.images
        sides = [min(side or PAINTING, PAINTING) for side in self.images.shape[1:3]]
        corner = [
            keras.random.randint((), 0, PAINTING - side + 1, seed=same_everywhere(self.model.noise))
            if self.training
            else 0
            for side in sides
        ]
        return ops.take(ops.slice(canvas, [0, *corner, 0], [self.styles, *sides, 3]), self.chosen, axis=0)

    def logits(self, pictures: Any) -> Any:
        """Patch logits of images in [0, 1] for their style, (n, height / 8, width / 8)."""
        verdicts = self.model.discriminator(2.0 * pictures - 1.0, training=self.training)
        return ops.sum(verdicts * self.mix[:, None, None], axis=-1)


@register("fast_style")
class FastStyle(Stylizer):
    """Minimizes content + style + total variation (see `Stylizer`) over the weights of a network, the `Painter`.

    With an `adversarial_weight`, an adversarial loss is added, with a patch discriminator between stylized images and
    paintings.

    In training, each photograph gets a random style. The style targets are set first by
    `model.set_style_targets({name: picture})`, as `cnnzoo.train` does, and are not saved; without `styles`, each
    photograph is its own style.

    Args:
        styles: Names of the paintings.
        width, blocks: See `Painter`.
        adversarial_weight: Weight of the adversarial loss; 0 for no discriminator.
        image_shape: (None, None, 3) for photographs of any size.
        **config: See `cnnzoo.tasks.stylizer.Stylizer`: network, statistic and the three weights.
    """

    def __init__(
        self,
        *,
        styles: Sequence[str] = (),
        width: int = 16,
        blocks: int = 4,
        adversarial_weight: float = 0.0,
        image_shape: Sequence[Any] = (None, None, 3),
        **config: Any,
    ) -> None:
        super().__init__(**config)
        if len(set(styles)) != len(styles):
            raise ValueError(f"`styles` must be different names. Received: {list(styles)}")
        if tuple(image_shape) not in ((None, None, 3),):
            raise ValueError(f"`image_shape` must be (None, None, 3). Received: {image_shape}")
        self.styles, self.width, self.blocks, self.image_shape = tuple(styles), width, blocks, tuple(image_shape)
        self.adversarial_weight = adversarial_weight
        self.noise = ReplicaSeedGenerator()
        self.painter = Painter(max(1, len(self.styles)), width, blocks, name="painter")
        self.goals: list[np.ndarray] = []  # style statistics per style layer, (styles, ...)
        self.canvas: np.ndarray | None = None  # center crops of the paintings, (styles, PAINTING, PAINTING, 3)
        if adversarial_weight:
            self.discriminator = self.make_discriminator()
        self.build()

    def make_discriminator(self) -> keras.Sequential:
        """Images (n, height, width, 3) in [-1, 1] to a logit per patch and style."""
        stack = [keras.Input((None, None, 3))]
        for width in (2 * self.width, 4 * self.width, 4 * self.width):
            stack += [SpectralConv2D(width, 4, 2, "same"), layers.LeakyReLU(0.2)]
        last = SpectralConv2D(max(1, len(self.styles)), 3, 1, "same", dtype="float32")
        return keras.Sequential([*stack, last], name="discriminator")  # (n, height / 8, width / 8, styles)

    @lazy
    def maps(self) -> FeatureMaps:
        """The feature extractor, loaded only for training and scores."""
        return FeatureMaps(self.network)

    def compile(self, optimizer: Any = None, **settings: Any) -> None:
        _ = self.maps  # cannot be loaded inside a step
        super().compile(optimizer, **settings)

    @property
    def pictures(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.styles

    def set_style_targets(self, pictures: Mapping[str, np.ndarray]) -> None:
        """Computes the style targets.

        Args:
            pictures: One painting per style, uint8, uint16 or float32 in [0, 1], (height, width, 3), of any size.

        Raises:
            ValueError: For a missing or invalid painting.
        """
        if missing := [name for name in self.styles if name not in pictures]:
            raise ValueError(f"`pictures` must have one of each style. Received: none of {', '.join(missing)}")
        found, middles = [], []
        for name in self.styles:
            picture = in_unit_range(as_photographs(pictures[name], (3,))[0])
            ratio = PAINTING / min(picture.shape[1:3])
            size = tuple(round(ratio * side) for side in picture.shape[1:3])
            painting = resized(picture, size)
            found.append(self.statistics(self.maps.features(ops.convert_to_tensor(painting))))
            top, left = ((side - PAINTING) // 2 for side in size)
            middles.append(painting[:, top : top + PAINTING, left : left + PAINTING])
        statistics = zip(*found, strict=True)
        self.goals = [np.concatenate([ops.convert_to_numpy(row) for row in layer]) for layer in statistics]
        self.canvas = np.concatenate(middles) if self.adversarial_weight else None

    def phases(self) -> list[Phase]:
        painter = Phase("painter", [self.painter], self.painter_loss)
        if not self.adversarial_weight:
            return [painter]
        return [Phase("discriminator", [self.discriminator], self.discriminator_loss), painter]

    def forward(self, images: Any, labels: Any, training: bool) -> StylePass:
        return StylePass(self, images, training)

    def painter_loss(self, outputs: StylePass) -> Any:
        total, logs = self.stylization_loss(outputs.seen)
        if self.adversarial_weight:
            fooled = gan_losses.wasserstein_generator_loss(outputs.logits(outputs.painted))
            total = ops.mean(total) + self.adversarial_weight * fooled
        return total, logs

    def discriminator_loss(self, outputs: StylePass) -> Any:
        return gan_losses.hinge_discriminator_loss(outputs.logits(outputs.parts), outputs.logits(outputs.painted))

    def init_from(self, other: PhasedModel) -> None:
        """Copies the weights of another `fast_style`; a discriminator that it lacks remains as initialized.

        Raises:
            ValueError: For different layers, or a model of another kind.
        """
        if not isinstance(other, FastStyle) or bool(other.adversarial_weight) == bool(self.adversarial_weight):
            super().init_from(other)
            return
        plain = self.reparameterized()
        plain.init_from(other.reparameterized())
        self.painter.set_weights(plain.painter.get_weights())

    def reparameterized(self) -> "FastStyle":
        """The model without the discriminator."""
        if not self.adversarial_weight:
            return self
        plain = type(self).from_config({**self.get_config(), "adversarial_weight": 0.0})
        plain.painter.set_weights(self.painter.get_weights())
        return plain

    def call(self, images: Any, training: bool = False) -> Any:
        """Images in the first style."""
        first = ops.one_hot(ops.zeros(ops.shape(images)[:1], "int32"), max(1, len(self.styles)), dtype="float32")
        return self.painted(images, first)

    def painted(self, images: Any, mix: Any) -> Any:
        """Images, uint8 or float32 in [0, 1], (n, height, width, 3), stylized with style weights (n, styles)."""
        return self.painter(unit_range(images), mix)

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return {phase.name: keras.optimizers.Adam(1e-3) for phase in self.phases()}

    def before_after(self, images: np.ndarray) -> list[np.ndarray]:
        """Images (n, height, width, 3), and their stylized versions, with the styles in turn."""
        mix = one_hot_in_turn(len(images), max(1, len(self.styles)))
        return [images, to_uint8(ops.convert_to_numpy(self.painted(ops.convert_to_tensor(images), mix)))]

    # -- photographs of any size --------------------------------------------------------------------------------------

    def stylize(
        self,
        content: Any,
        style: str | Mapping[str, float] | np.ndarray | None = None,
        *,
        mask: Any = None,
        keep_color: bool = False,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Stylizes one photograph or a batch, of any size, in one style or a mixture, in the input dtype.

        Photographs above 2 megapixels are processed in strips, in less memory; see `cnnzoo.tasks.painting_strips`.

        Args:
            content: uint8, uint16 or float32 in [0, 1], (height, width, 3) or a batch of them.
            style: A style name, weights by name, or an array of weights, (styles,) or (n, styles), normalized to sum 1.
                By default the first style.
            mask: Nonzero for pixels to stylize, (height, width[, 1]) for all images, or (n, height, width[, 1]). Other
                pixels are unchanged, bit for bit.
            keep_color: Stylize only the luma, and keep the chroma of the content.
            progress: Called with the finished parts of a large photograph and their total.

        Raises:
            ValueError: For another dtype, shape, range or mask, or an invalid style.
        """
        batch, single = as_photographs(content, (3,))
        mix = self.mix(style, len(batch))
        masks = None if mask is None else as_missing(mask, batch.shape[:3])
        pixels = batch.shape[1] * batch.shape[2]
        if pixels <= WHOLE:
            made = in_batches(self, _painted, batch, mix, at_once=max(1, AT_ONCE // pixels), keep_color=keep_color)
        else:
            made = np.empty_like(batch)
            for i, photo in enumerate(batch):
                painted = paint_in_strips(self.painter, photo, mix[i : i + 1], progress)
                if keep_color:
                    painted = with_luma(in_unit_range(photo[None]), to_channels(painted[None], 1))[0]
                made[i] = in_type(painted.clip(0.0, 1.0), batch.dtype)
        made = made if masks is None else np.where(masks, made, batch)
        return made[0] if single else made

    def mix(self, style: str | Mapping[str, float] | np.ndarray | None, n: int) -> np.ndarray:
        """Style weights, float32 (n, styles), with rows of sum 1; see `stylize`.

        Raises:
            ValueError: For an unknown name, negative weights, or a sum of 0.
        """
        return style_weights(style, self.styles or ("",), n)


def _painted(model: FastStyle, photos: Any, mix: Any, keep_color: bool) -> Any:
    """Stylized photographs in their dtype."""
    shown = units(photos)
    painted = model.painter(shown, mix)
    if keep_color:
        painted = with_luma(
            shown, sum(share * painted[..., i : i + 1] for i, share in enumerate((0.299, 0.587, 0.114)))
        )
    return levels(painted, keras.backend.standardize_dtype(photos.dtype))
