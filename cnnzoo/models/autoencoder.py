"""A convolutional autoencoder: images to a short code and back, with the least squared error."""

from typing import ClassVar, NamedTuple

import keras
import numpy as np
from keras import ops

from cnnzoo.models import _encoding
from cnnzoo.nn import losses
from cnnzoo.nn.layers import unit_range
from cnnzoo.phases import Phase, PhasedModel
from cnnzoo.registry import register
from cnnzoo.tasks import inference


class Coded(NamedTuple):
    """A batch that has been through both networks."""

    images: object  # (n, height, width, channels)
    reconstructions: object  # the same


@register("autoencoder")
class Autoencoder(PhasedModel):
    """Minimises ||x - x'||^2 with x' = decode(encode(x)).

    Args:
        image_shape: (height, width, channels), sides multiples of 4.
        latent_dim: The length of the code.
        width: Filters of the first convolution.
        hidden: Units of the dense layers.
    """

    task = "reconstruct"
    sides, channels = _encoding.SIDES, (1, 3)
    log_names = ("mse",)
    search_space: ClassVar[dict] = {
        "learning_rate": (1e-4, 1e-2),
        "batch_size": [32, 64, 128, 256],
        "width": [8, 16, 32],
        "hidden": [128, 256, 512],
    }

    def __init__(self, *, image_shape=(28, 28, 1), latent_dim=32, width=16, hidden=256, **kwargs):
        super().__init__(**kwargs)
        self.image_shape = _encoding.check_shape(image_shape)
        self.latent_dim, self.width, self.hidden = latent_dim, width, hidden
        self.encoder = self.make_encoder()
        self.decoder = _encoding.decoder(self.image_shape, width, hidden, latent_dim)
        self.build()

    def make_encoder(self) -> keras.Sequential:
        """Images (n, height, width, channels) to float32 codes (n, latent_dim)."""
        return _encoding.encoder(self.image_shape, self.width, self.hidden, self.latent_dim)

    def phases(self):
        return [Phase("reconstruction", [self.encoder, self.decoder], self.reconstruction_loss)]

    def forward(self, images, labels, training):
        return Coded(images, ops.sigmoid(self.decoder(self.encoder(images, training=training), training=training)))

    def reconstruction_loss(self, coded: Coded):
        error = losses.squared_error(coded.images, coded.reconstructions)
        return error, {"mse": ops.mean(ops.square(coded.images - coded.reconstructions), (1, 2, 3))}

    def published_optimizers(self):
        return {"reconstruction": keras.optimizers.Adam(1e-3)}

    def call(self, images, training=False):
        """Images, uint8 or float32 in [0, 1], to their reconstructions in [0, 1]."""
        return self.forward(unit_range(images), None, training).reconstructions

    def encoded(self, images):
        """Images, uint8 or float32 in [0, 1], to their codes (n, latent_dim)."""
        return self.encoder(unit_range(images))

    def decoded(self, codes):
        """Codes (n, latent_dim) to images in [0, 1]."""
        return ops.sigmoid(self.decoder(codes))

    def encode(self, x) -> np.ndarray:
        """The codes (n, latent_dim) of one image or a batch of n."""
        return inference.images_to_rows(self, self.encoded, x)

    def decode(self, z) -> np.ndarray:
        """float32 images in [0, 1], (n, height, width, channels), from codes (n, latent_dim)."""
        return inference.in_batches(self.decoded, inference.latents(self, z))

    def reconstruct(self, x) -> np.ndarray:
        """decode(encode(x)) for one image or a batch, in the type that came in."""
        return inference.images_to_images(self, self, x)
