"""The vector-quantized autoencoder (VQ-VAE), with a PixelCNN prior for generation and lossless code compression.

Source: van den Oord et al., "Neural Discrete Representation Learning", 2017, arXiv:1711.00937.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
from keras import layers, ops
from scipy.special import ndtr, softmax

from cnnzoo.models._pixelcnn import PixelCNN
from cnnzoo.nn import entropy_coding, losses
from cnnzoo.nn.layers import PACKAGE, BatchNormalization, DepthToSpace, unit_range
from cnnzoo.phases import Phase
from cnnzoo.registry import register
from cnnzoo.tasks import inference
from cnnzoo.tasks.autoencoder import SIDES, check_sides
from cnnzoo.tasks.compiled import BATCH, in_batches
from cnnzoo.tasks.sharing import Shared


@keras.saving.register_keras_serializable(PACKAGE)
class Codebook(keras.layers.Layer):
    """A codebook of trainable vectors, initialized from N(0, I).

    Args:
        codes: Number of vectors.
        dim: Their dimension.
    """

    def __init__(self, codes: int, dim: int, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.codes, self.dim = codes, dim
        self.vectors = self.add_weight((codes, dim), keras.initializers.RandomNormal(stddev=1.0), name="vectors")
        self.built = True

    def call(self, points: Any) -> Any:
        """Points (..., dim) to the indices of their nearest vectors, int32 (...), and these vectors."""
        vectors = ops.convert_to_tensor(self.vectors)
        # argmin |z - e|^2 = |z|^2 - 2 z e + |e|^2 equals argmax z e - |e|^2 / 2.
        nearness = ops.matmul(points, ops.transpose(vectors)) - 0.5 * ops.sum(ops.square(vectors), axis=1)
        codes = ops.top_k(nearness, 1)[1][..., 0]  # Keras's argmax uses operations missing in LiteRT
        return codes, self.look_up(codes)

    def look_up(self, codes: Any) -> Any:
        """The vectors of indices: (...) to (..., dim)."""
        return ops.matmul(ops.one_hot(codes, self.codes), self.vectors)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "codes": self.codes, "dim": self.dim}


class VQVAEOutputs(NamedTuple):
    """The outputs of all networks for a batch; rows and columns of the code grid."""

    images: Any  # (n, height, width, channels)
    reconstructions: Any  # same shape
    points: Any  # encoder outputs, (n, rows, columns, code_dim)
    vectors: Any  # nearest codebook vectors, same shape
    codes: Any  # their indices, (n, rows, columns)
    logits: Any  # of the prior, (n, rows, columns, codes)


@register("vqvae")
class VQVAE(Shared):
    """An autoencoder with a grid of integers at stride 4 as its code.

    Minimizes |x - x'|^2 + |sg[z] - e|^2 + beta |z - sg[e]|^2, with the encoder outputs z, their nearest codebook
    vectors e, and stop-gradient sg; and -log p(codes) for the prior.

    Encoder outputs are replaced by the nearest codebook vectors; gradients pass straight through from the decoder to
    the encoder. The codebook is trained by its own loss rather than by moving averages, so that it is saved, resumed
    and synchronized like any other weight. A gated PixelCNN prior is trained at the same time, on constant codes.

    Args:
        image_shape: (height, width, channels), sides multiples of 4.
        codes: Codebook size, 2 to 4096.
        code_dim: Dimension of the codebook vectors.
        commitment: Weight beta of the commitment loss.
        width: Filters of the encoder and the decoder.
        prior_width: Channels of the prior.
        prior_depth: Gated layers of the prior.
    """

    task = "reconstruct"
    sides, channels = SIDES, (1, 3)
    updates = "simultaneous"  # one pass serves both phases, which share no weights
    log_names = ("mse", "perplexity")
    search_space: ClassVar[dict] = {
        "learning_rate": (1e-4, 3e-3),
        "batch_size": [32, 64, 128],
        "code_dim": [2, 4, 8],
        "commitment": (0.1, 2.0),
        "width": [16, 32, 64],
    }

    def __init__(
        self,
        *,
        image_shape: Sequence[Any] = (28, 28, 1),
        codes: int = 256,
        code_dim: int = 4,
        commitment: float = 0.25,
        width: int = 32,
        prior_width: int = 32,
        prior_depth: int = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 2 <= codes <= 4096:
            raise ValueError(f"`codes` must be between 2 and 4096. Received: {codes}")
        if commitment < 0:
            raise ValueError(f"`commitment` must be a number >= 0. Received: {commitment}")
        self.image_shape = check_sides(image_shape)
        self.codes, self.code_dim, self.commitment = codes, code_dim, commitment
        self.width, self.prior_width, self.prior_depth = width, prior_width, prior_depth
        self.grid = self.image_shape[0] // 4, self.image_shape[1] // 4
        self.latent_dim = self.grid[0] * self.grid[1]  # codes per image
        self.encoder = self.make_encoder()
        self.codebook = Codebook(codes, code_dim, name="codebook")
        self.decoder = self.make_decoder()
        self.prior = PixelCNN(codes, prior_width, prior_depth, name="prior")
        self.build()

    def make_encoder(self) -> keras.Model:
        """Images (n, height, width, channels) to float32 points (n, rows, columns, code_dim)."""
        images = keras.Input(self.image_shape)
        # Small points would get steep gradients from the normalization; He initialization keeps the scale.
        start = "he_normal"
        half = self.width // 2
        x = layers.Conv2D(half, 4, 2, "same", activation="relu", kernel_initializer=start)(images)  # (n, 16, 16, half)
        x = layers.Conv2D(self.width, 4, 2, "same", activation="relu", kernel_initializer=start)(x)  # (n, 8, 8, width)
        x = layers.Conv2D(self.width, 3, 1, "same", kernel_initializer=start)(x)
        x = layers.ReLU()(self.residual(self.residual(x)))
        x = layers.Conv2D(self.code_dim, 1, use_bias=False, dtype="float32")(x)  # (n, 8, 8, code_dim)
        # Mean 0 and variance 1, as the initial codebook, prevents divergence from it and codebook collapse
        # (Łańcucki et al., "Robust Training of Vector Quantized Bottleneck Models", 2020).
        points = BatchNormalization(momentum=0.9, center=False, scale=False, dtype="float32")(x)
        return keras.Model(images, points, name="encoder")

    def make_decoder(self) -> keras.Model:
        """Vectors (n, rows, columns, code_dim) to float32 logits (n, height, width, channels)."""
        vectors = keras.Input((*self.grid, self.code_dim))
        x = layers.Conv2D(self.width, 3, 1, "same")(vectors)  # (n, 8, 8, width)
        x = layers.ReLU()(self.residual(self.residual(x)))
        x = layers.Conv2D(2 * self.width, 3, 1, "same", activation="relu")(x)  # (n, 8, 8, 2 width)
        x = DepthToSpace(2)(x)  # (n, 16, 16, width / 2)
        x = layers.Conv2D(4 * self.image_shape[2], 5, 1, "same", dtype="float32")(x)  # (n, 16, 16, 4 channels)
        return keras.Model(vectors, DepthToSpace(2, dtype="float32")(x), name="decoder")  # (n, 32, 32, channels)

    def residual(self, x: Any) -> Any:
        """A residual block of a 3x3 and a 1x1 convolution, (n, rows, columns, width)."""
        y = layers.Conv2D(self.width // 2, 3, 1, "same", activation="relu")(layers.ReLU()(x))
        return layers.Add()([x, layers.Conv2D(self.width, 1)(y)])

    def phases(self) -> list[Phase]:
        return [
            Phase("autoencoder", [self.encoder, self.codebook, self.decoder], self.autoencoder_loss),
            Phase("prior", [self.prior], self.prior_loss),
        ]

    def forward(self, images: Any, labels: Any, training: bool) -> VQVAEOutputs:
        points = self.encoder(images, training=training)
        codes, vectors = self.codebook(points)
        passed = ops.stop_gradient(vectors) + (points - ops.stop_gradient(points))  # bitwise equal to the vectors
        made = ops.sigmoid(self.decoder(passed, training=training))
        return VQVAEOutputs(images, made, points, vectors, codes, self.prior(codes))

    def autoencoder_loss(self, q: VQVAEOutputs) -> Any:
        """||x - x'||^2 + ||sg[z] - e||^2 + beta ||z - sg[e]||^2 (van den Oord et al., equation 3)."""
        distortion = losses.squared_error(q.images, q.reconstructions)
        learning = losses.squared_error(ops.stop_gradient(q.points), q.vectors)
        commitment = losses.squared_error(q.points, ops.stop_gradient(q.vectors))
        use = ops.mean(ops.one_hot(q.codes, self.codes), axis=(0, 1, 2))  # (codes,)
        perplexity = ops.exp(-ops.sum(use * ops.log(use + 1e-10)))  # effective number of used codes
        logs = {"mse": ops.mean(ops.square(q.images - q.reconstructions), (1, 2, 3)), "perplexity": perplexity}
        return distortion + learning + self.commitment * commitment, logs

    def prior_loss(self, q: VQVAEOutputs) -> Any:
        """-log p(codes) in nats per code."""
        return ops.mean(losses.cross_entropy(q.codes, q.logits), (1, 2))

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return {name: keras.optimizers.Adam(2e-4) for name in ("autoencoder", "prior")}

    def call(self, images: Any, training: bool = False) -> Any:
        """Images, uint8 or float32 in [0, 1], to their reconstructions in [0, 1]."""
        return self.forward(unit_range(images), None, training).reconstructions

    def encoded(self, images: Any) -> Any:
        """Images, uint8 or float32 in [0, 1], to their codes (n, height / 4, width / 4)."""
        return self.codebook(self.encoder(unit_range(images)))[0]

    def decoded(self, codes: Any) -> Any:
        """Codes (n, height / 4, width / 4) to images in [0, 1]."""
        return ops.sigmoid(self.decoder(self.codebook.look_up(codes)))

    def encode(self, x: Any) -> np.ndarray:
        """The codes of one image or a batch of n: int32 (n, height / 4, width / 4) in [0, codes)."""
        return inference.images_to_rows(self, type(self).encoded, x)

    def decode(self, codes: Any) -> np.ndarray:
        """float32 images in [0, 1], (n, height, width, channels), from integers (n, height / 4, width / 4).

        Raises:
            ValueError: For another shape or dtype, no rows, or codes out of range.
        """
        codes, (rows, columns) = np.asarray(codes), self.grid
        if codes.shape[1:] != self.grid or len(codes) == 0 or not np.issubdtype(codes.dtype, np.integer):
            raise ValueError(
                f"`codes` must be integers (n, {rows}, {columns}) with n >= 1. Received: {codes.dtype} {codes.shape}"
            )
        if codes.min() < 0 or codes.max() >= self.codes:
            raise ValueError(
                f"`codes` must be in [0, {self.codes}). Received: values in [{codes.min()}, {codes.max()}]"
            )
        return in_batches(self, type(self).decoded, codes.astype(np.int32))

    def reconstruct(self, x: Any) -> np.ndarray:
        """decode(encode(x)) for one image or a batch, in the input dtype."""
        return inference.images_to_images(self, inference.called, x)

    def generate(self, n: int, seed: int = 0) -> np.ndarray:
        """n images from grids sampled from the prior; float32 in [0, 1], (n, height, width, channels)."""
        chances = ndtr(inference.noise(self, n, seed).astype(np.float64)).reshape(n, *self.grid, 1)

        def draw(place: Any, probabilities: Any) -> Any:
            drawn = (probabilities.cumsum(axis=1) < chances[place]).sum(axis=1)
            return np.minimum(drawn, self.codes - 1)  # cumulative sums may end slightly below 1

        return self.decode(self._grids(n, draw))

    def compress(self, x: Any) -> bytes:
        """Compresses one image or a batch to bytes: its codes, entropy-coded with the probabilities of the prior.

        A header of 20 bytes holds the number of images and checksums. Compression and decompression need bitwise equal
        probabilities, hence equal weights, backend, libraries and processor type.
        """
        codes = self.encode(x)
        encoder = entropy_coding.Encoder()

        def write(place: Any, probabilities: Any) -> Any:
            encoder.write(codes[place], entropy_coding.frequencies(probabilities))
            return codes[place]

        self._grids(len(codes), write)
        return entropy_coding.pack(encoder.to_bytes(), len(codes), self._digest(), codes)

    def decompress(self, data: bytes) -> np.ndarray:
        """Decompresses the bytes of `compress` to exactly `decode(encode(x))`: float32 (n, height, width, channels).

        Raises:
            ValueError: For other, truncated or altered bytes, other weights, or different rounding (see `compress`).
        """
        stream, count, checksum = entropy_coding.unpack(data, self._digest())
        decoder = entropy_coding.Decoder(stream)
        try:
            codes = self._grids(count, lambda place, p: decoder.read(entropy_coding.frequencies(p)))
            decoder.close(codes, checksum)
        except ValueError as error:
            raise ValueError(
                "Images must be compressed with the same backend, libraries and kind of processor. Received: images "
                f"whose probabilities this machine computes otherwise ({error})"
            ) from error
        return self.decode(codes)

    def _grids(self, n: int, choose: Callable) -> np.ndarray:
        """Fills n grids autoregressively, in raster order: int32 (n, rows, columns).

        Shared by sampling, compression and decompression, for identical probabilities.

        Args:
            n: Number of grids.
            choose: From a position, an index of (n, rows, columns), and its probabilities (m, codes) to codes (m,).
        """
        parts = []  # the count may be forged: memory grows only with decoded codes
        for start in range(0, n, BATCH):
            part = np.zeros((min(BATCH, n - start), *self.grid), np.int32)
            some = slice(start, start + len(part))
            for row in range(self.grid[0]):
                across = [each[:, row:] for each in self.prior.down(part[:, : row + 1])]
                for column in range(self.grid[1]):
                    logits = self.prior.along(part[:, row : row + 1], across)[:, 0, column]  # (m, codes)
                    probabilities = softmax(ops.convert_to_numpy(logits).astype(np.float64), axis=1)
                    part[:, row, column] = choose((some, row, column), probabilities)
            parts.append(part)
        return np.concatenate(parts)

    def _digest(self) -> bytes:
        """A 4-byte digest of the weights."""
        found = hashlib.sha256()
        for weight in self.weights:
            found.update(np.ascontiguousarray(ops.convert_to_numpy(weight)).tobytes())
        return found.digest()[:4]
