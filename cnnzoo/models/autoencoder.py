"""A convolutional autoencoder with squared error."""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import keras
from keras import layers, ops

from cnnzoo.nn import losses
from cnnzoo.nn.layers import DepthToSpace, unit_range
from cnnzoo.phases import Phase
from cnnzoo.registry import register
from cnnzoo.tasks.autoencoder import SIDES, Reconstructor, check_sides


class AutoencoderOutputs(NamedTuple):
    """Images and their reconstructions."""

    images: Any  # (n, height, width, channels)
    reconstructions: Any  # same shape


@register("autoencoder")
class Autoencoder(Reconstructor):
    """Minimizes ||x - x'||^2 with x' = decode(encode(x)).

    Args:
        image_shape: (height, width, channels), sides multiples of 4.
        latent_dim: Dimension of the code.
        width: Filters of the first convolution.
        hidden: Units of the dense layers.
    """

    sides, channels = SIDES, (1, 3)
    log_names = ("mse",)
    search_space: ClassVar[dict] = {
        "learning_rate": (1e-4, 1e-2),
        "batch_size": [32, 64, 128, 256],
        "width": [8, 16, 32],
        "hidden": [128, 256, 512],
    }

    def __init__(
        self,
        *,
        image_shape: Sequence[Any] = (28, 28, 1),
        latent_dim: int = 32,
        width: int = 16,
        hidden: int = 256,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_shape = check_sides(image_shape)
        self.latent_dim, self.width, self.hidden = latent_dim, width, hidden
        self.encoder = self.make_encoder()
        self.decoder = decoder(self.image_shape, width, hidden, latent_dim)
        self.build()

    def make_encoder(self) -> keras.Sequential:
        """Images (n, height, width, channels) to float32 codes (n, latent_dim)."""
        return encoder(self.image_shape, self.width, self.hidden, self.latent_dim)

    def phases(self) -> list[Phase]:
        return [Phase("reconstruction", [self.encoder, self.decoder], self.reconstruction_loss)]

    def forward(self, images: Any, labels: Any, training: bool) -> AutoencoderOutputs:
        return AutoencoderOutputs(
            images, ops.sigmoid(self.decoder(self.encoder(images, training=training), training=training))
        )

    def reconstruction_loss(self, outputs: AutoencoderOutputs) -> Any:
        error = losses.squared_error(outputs.images, outputs.reconstructions)
        return error, {"mse": ops.mean(ops.square(outputs.images - outputs.reconstructions), (1, 2, 3))}

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return {"reconstruction": keras.optimizers.Adam(1e-3)}

    def call(self, images: Any, training: bool = False) -> Any:
        """Images, uint8 or float32 in [0, 1], to their reconstructions in [0, 1]."""
        return self.forward(unit_range(images), None, training).reconstructions

    def encoded(self, images: Any) -> Any:
        """Images, uint8 or float32 in [0, 1], to their codes (n, latent_dim)."""
        return self.encoder(unit_range(images))

    def decoded(self, codes: Any) -> Any:
        """Codes (n, latent_dim) to images in [0, 1]."""
        return ops.sigmoid(self.decoder(codes))


def encoder(image_shape: Sequence[Any], width: int, hidden: int, outputs: int) -> keras.Sequential:
    """Images (n, height, width, channels), sides multiples of 4, to float32 numbers (n, outputs)."""
    return keras.Sequential(
        [
            keras.Input(image_shape),  # (n, 28, 28, 1)
            layers.Conv2D(width, 5, 2, "same", activation="elu"),  # (n, 14, 14, width)
            layers.Conv2D(2 * width, 5, 2, "same", activation="elu"),  # (n, 7, 7, 2 width)
            layers.Conv2D(2 * width, 3, 1, "same", activation="elu"),  # (n, 7, 7, 2 width)
            layers.Flatten(),  # (n, 7 * 7 * 2 width)
            layers.Dense(hidden, activation="elu"),  # (n, hidden)
            layers.Dense(outputs, dtype="float32"),  # (n, outputs)
        ],
        name="encoder",
    )


def decoder(image_shape: Sequence[Any], width: int, hidden: int, latent_dim: int) -> keras.Sequential:
    """Latent vectors (n, latent_dim) to float32 logits (n, height, width, channels).

    Both upsampling steps are sub-pixel convolutions (Shi et al., 2016), so that no layer runs at full resolution.
    """
    height, breadth, channels = image_shape
    return keras.Sequential(
        [
            keras.Input((latent_dim,)),
            layers.Dense(hidden, activation="elu"),  # (n, hidden)
            layers.Dense(height // 4 * (breadth // 4) * 2 * width, activation="elu"),  # (n, 7 * 7 * 2 width)
            layers.Reshape((height // 4, breadth // 4, 2 * width)),  # (n, 7, 7, 2 width)
            layers.Conv2D(2 * width, 3, 1, "same", activation="elu"),  # (n, 7, 7, 2 width)
            layers.Conv2D(4 * width, 5, 1, "same", activation="elu"),  # (n, 7, 7, 4 width)
            DepthToSpace(2),  # (n, 14, 14, width)
            layers.Conv2D(4 * channels, 5, 1, "same", dtype="float32"),  # (n, 14, 14, 4 channels)
            DepthToSpace(2, dtype="float32"),  # (n, 28, 28, channels)
        ],
        name="decoder",
    )
