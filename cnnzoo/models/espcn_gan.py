"""ESPCN with an adversarial loss: sharper images, at a lower PSNR.

Source: Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network", 2017,
arXiv:1609.04802; the dial between sharp and faithful is that of Wang et al., "ESRGAN: Enhanced Super-Resolution
Generative Adversarial Networks", 2018, arXiv:1809.00219, section 3.4.
"""

from threading import Lock
from typing import Any, ClassVar

import keras
import numpy as np
from keras import layers, ops

from cnnzoo.features.maps import FeatureMaps, unit_distance
from cnnzoo.models.espcn import ESPCN
from cnnzoo.nn import gan_losses
from cnnzoo.nn.layers import SpectralConv2D
from cnnzoo.phases import Phase, PhasedModel
from cnnzoo.registry import register
from cnnzoo.tasks.upscaler import SubPixelModel
from cnnzoo.utils.lazy import lazy


class UpscalingPass:
    """Images and their super-resolved versions, in one training step; quantities are computed lazily, once."""

    def __init__(self, model: "ESPCNGAN", images: Any, training: bool) -> None:
        self.model, self.images, self.training = model, images, training

    @lazy
    def enlarged(self) -> Any:
        """(n, height, width, 1), not clipped."""
        return self.model.enlarged(self.model.small(self.images, self.training), self.training)

    @lazy
    def fake_logits(self) -> Any:
        return self.model.discriminator(self.enlarged, training=self.training)

    @lazy
    def real_logits(self) -> Any:
        return self.model.discriminator(self.images, training=self.training)


class _Kept:
    """The network of `upscale` with mixed weights. Keras would save one in an attribute of the model."""

    def __init__(self) -> None:
        self.model: ESPCN | None = None
        self.lock = Lock()


@register("espcn_gan")
class ESPCNGAN(ESPCN):
    """Minimizes |x - x'| plus the distance of x' from x in the features of a classifier, plus the loss of a GAN.

    A patch discriminator with spectral normalization. The model also keeps its initial network; interpolation of both
    sets of weights is a trade-off between faithful and sharp.

    Args:
        content_weight: Weight of the distance in the features of `lenet.cifar10` (see `cnnzoo.features.maps`).
        adversarial_weight: Weight of the generator loss.
        judge_width: Filters of the first convolution of the discriminator.
        expansion: 0, for plain convolutions.
        **config: See `cnnzoo.models.espcn.ESPCN`.
    """

    search_space: ClassVar[dict] = {
        **ESPCN.search_space,
        "learning_rate": (3e-5, 1e-3),
        "content_weight": (0.01, 1.0),
        "adversarial_weight": (0.001, 0.1),
    }

    def __init__(
        self,
        *,
        scale: int = 4,
        expansion: int = 0,
        content_weight: float = 0.1,
        adversarial_weight: float = 0.005,
        judge_width: int = 32,
        **config: Any,
    ) -> None:
        if expansion != 0:
            raise ValueError(
                f"`expansion` must be 0, as between products there is no straight line. Received: {expansion!r}"
            )
        self.content_weight, self.adversarial_weight = content_weight, adversarial_weight
        self.judge_width = judge_width
        super().__init__(scale=scale, expansion=expansion, **config)

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.discriminator = self.make_discriminator()
            self.faithful = self.make_network()
            self.faithful.trainable = False
            self.faithful.set_weights(self.network.get_weights())
            self._features = FeatureMaps()
            self._kept = _Kept()
        super().build(input_shape)

    @property
    def loss_network(self) -> str:
        """The feature network of the loss, unsuitable for scores of this model."""
        return self._features.network

    def make_discriminator(self) -> keras.Sequential:
        """Images (n, height, width, 1) to one logit per patch, (n, height / 8, width / 8, 1)."""
        stack = [keras.Input(self.image_shape)]
        for i in range(3):
            stack += [SpectralConv2D(self.judge_width * min(2**i, 2), 4, 2, "same"), layers.LeakyReLU(0.2)]
        return keras.Sequential([*stack, SpectralConv2D(1, 3, 1, "same", dtype="float32")], name="discriminator")

    def init_from(self, other: PhasedModel) -> None:
        super().init_from(other)
        self.faithful.set_weights(self.network.get_weights())

    def phases(self) -> list[Phase]:
        return [
            Phase("discriminator", [self.discriminator], self.discriminator_loss),
            Phase("generator", [self.network], self.generator_loss),
        ]

    def forward(self, images: Any, labels: Any, training: bool) -> UpscalingPass:
        return UpscalingPass(self, images, training)

    def discriminator_loss(self, pair: UpscalingPass) -> Any:
        return gan_losses.logistic_discriminator_loss(pair.real_logits, pair.fake_logits)

    def generator_loss(self, pair: UpscalingPass) -> Any:
        pixels, logs = self.pixel_loss((pair.images, pair.enlarged))
        content = ops.mean(unit_distance(self._features(pair.images), self._features(pair.enlarged)))
        fooled = gan_losses.non_saturating_generator_loss(pair.fake_logits)
        return ops.mean(pixels) + self.content_weight * content + self.adversarial_weight * fooled, logs

    def distance(self, images: Any, enlarged: Any) -> Any:
        """The mean absolute error for any degradation, (n,): the weights of the other losses are for it."""
        return SubPixelModel.distance(self, images, enlarged)

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return {name: keras.optimizers.Adam(1e-4) for name in ("discriminator", "generator")}

    def between(self, sharpness: float) -> ESPCN:
        """An ESPCN with weights interpolated from the faithful network, 0, to the sharp one, 1.

        Raises:
            ValueError: For a sharpness outside [0, 1].
        """
        weights, mixed = self._mixed(sharpness), self._plain()
        mixed.network.set_weights(weights)
        return mixed

    def _mixed(self, sharpness: float) -> list[np.ndarray]:
        if not 0.0 <= sharpness <= 1.0:
            raise ValueError(f"`sharpness` must be between 0 and 1. Received: {sharpness!r}")
        pairs = zip(self.faithful.get_weights(), self.network.get_weights(), strict=True)
        return [(1.0 - sharpness) * a + sharpness * b for a, b in pairs]

    def _plain(self) -> ESPCN:
        return ESPCN(**{key: value for key, value in self.get_config().items() if key in ESPCN.config_fields()})

    def upscale(self, x: Any, ensemble: bool = False, sharpness: float = 1.0) -> np.ndarray:
        """Upscales one image or a batch; see `cnnzoo.tasks.upscaler.SubPixelModel.upscale`.

        Args:
            x: As there.
            ensemble: As there.
            sharpness: From 0, the initial network of the training, to 1, the trained one.

        Raises:
            ValueError: As there, or for a sharpness outside [0, 1].
        """
        if sharpness == 1.0:
            return super().upscale(x, ensemble)
        weights, kept = self._mixed(sharpness), self._kept
        with kept.lock:
            kept.model = kept.model or self._plain()  # one model, whose graph is traced once
            kept.model.network.set_weights(weights)
            kept.model.verb_precision = self.verb_precision
            return kept.model.upscale(x, ensemble)
