"""The vector-quantised autoencoder: images to a grid of integers and back, and a prior that makes and compresses them.

Source: van den Oord et al., "Neural Discrete Representation Learning", 2017, arXiv:1711.00937.
"""

import hashlib
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import keras
import numpy as np
from keras import layers, ops
from scipy.special import ndtr, softmax

from cnnzoo.models._pixelcnn import PixelCNN
from cnnzoo.nn import entropy_coding, losses
from cnnzoo.nn.layers import PACKAGE, DepthToSpace, unit_range
from cnnzoo.phases import Phase, PhasedModel
from cnnzoo.registry import register
from cnnzoo.tasks import inference
from cnnzoo.tasks.autoencoder import SIDES, check_sides


@keras.saving.register_keras_serializable(PACKAGE)
class Codebook(keras.layers.Layer):
    """Trained vectors, each named by an integer; at the start drawn from N(0, I).

    Args:
        codes: How many vectors.
        dim: Their length.
    """

    def __init__(self, codes: int, dim: int, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.codes, self.dim = codes, dim
        self.vectors = self.add_weight((codes, dim), keras.initializers.RandomNormal(stddev=1.0), name="vectors")
        self.built = True

    def call(self, points):
        """Points (..., dim) to the integers of the vectors nearest to them, int32 (...), and those vectors."""
        vectors = ops.convert_to_tensor(self.vectors)
        # The least |z - e|^2 = |z|^2 - 2 z e + |e|^2 is where z e - |e|^2 / 2 is greatest.
        nearness = ops.matmul(points, ops.transpose(vectors)) - 0.5 * ops.sum(ops.square(vectors), axis=1)
        codes = ops.top_k(nearness, 1)[1][..., 0]  # Keras's argmax is made of operations that LiteRT lacks
        return codes, self.look_up(codes)

    def look_up(self, codes):
        """The vectors of integers: (...) to (..., dim)."""
        return ops.matmul(ops.one_hot(codes, self.codes), self.vectors)

    def get_config(self):
        return {**super().get_config(), "codes": self.codes, "dim": self.dim}


class VQVAEOutputs(NamedTuple):
    """A batch that has been through the networks; rows and columns are those of the grid."""

    images: object  # (n, height, width, channels)
    reconstructions: object  # the same
    points: object  # what the encoder gives, (n, rows, columns, code_dim)
    vectors: object  # the nearest ones of the codebook, the same shape
    codes: object  # their integers, (n, rows, columns)
    logits: object  # what the prior expects at each place, (n, rows, columns, codes)


@register("vqvae")
class VQVAE(PhasedModel):
    """An autoencoder whose code is a grid of integers, a quarter as high and wide as the image.

    Minimises |x - x'|^2 + |sg[z] - e|^2 + beta |z - sg[e]|^2, where z are the points that the encoder gives, e the
    vectors nearest to them and sg keeps gradients back; and -log p of the grid of integers, for the prior.

    Each point that the encoder gives is replaced by the nearest vector of a codebook; the decoder's gradient goes to
    the encoder as if nothing had happened between them ("straight through"). The codebook learns by a loss of its own
    rather than by moving averages, so that it is saved, resumed and kept equal on all devices like any other weight.
    A gated PixelCNN learns the distribution of the grids meanwhile; its gradients reach nothing but itself.

    Args:
        image_shape: (height, width, channels), sides multiples of 4.
        codes: How many integers there are, 2 to 4096.
        code_dim: The length of a vector of the codebook.
        commitment: The weight beta of the pull of the encoder's points towards their vectors.
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
        image_shape=(28, 28, 1),
        codes=256,
        code_dim=4,
        commitment=0.25,
        width=32,
        prior_width=32,
        prior_depth=4,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not 2 <= codes <= 4096:
            raise ValueError(f"got codes={codes}; allowed: 2 to 4096")
        if commitment < 0:
            raise ValueError(f"got commitment={commitment}; allowed: commitment >= 0")
        self.image_shape = check_sides(image_shape)
        self.codes, self.code_dim, self.commitment = codes, code_dim, commitment
        self.width, self.prior_width, self.prior_depth = width, prior_width, prior_depth
        self.grid = self.image_shape[0] // 4, self.image_shape[1] // 4
        self.latent_dim = self.grid[0] * self.grid[1]  # integers an image
        self.encoder = self.make_encoder()
        self.codebook = Codebook(codes, code_dim, name="codebook")
        self.decoder = self.make_decoder()
        self.prior = PixelCNN(codes, prior_width, prior_depth, name="prior")
        self.build()

    def make_encoder(self) -> keras.Model:
        """Images (n, height, width, channels) to float32 points (n, rows, columns, code_dim)."""
        images = keras.Input(self.image_shape)
        # Small points would have steep gradients behind the normalisation; these weights keep the scale through ReLUs.
        start = "he_normal"
        half = self.width // 2
        x = layers.Conv2D(half, 4, 2, "same", activation="relu", kernel_initializer=start)(images)  # (n, 16, 16, half)
        x = layers.Conv2D(self.width, 4, 2, "same", activation="relu", kernel_initializer=start)(x)  # (n, 8, 8, width)
        x = layers.Conv2D(self.width, 3, 1, "same", kernel_initializer=start)(x)
        x = layers.ReLU()(self.residual(self.residual(x)))
        x = layers.Conv2D(self.code_dim, 1, use_bias=False, dtype="float32")(x)  # (n, 8, 8, code_dim)
        # Of mean 0 and variance 1, as the codebook is at the start, the points neither run away from it nor crowd at a
        # few vectors (Łańcucki et al., "Robust Training of Vector VQVAEOutputs Bottleneck Models", 2020).
        points = layers.BatchNormalization(momentum=0.9, center=False, scale=False, dtype="float32")(x)
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

    def residual(self, x):
        """x and a correction from a 3x3 and a 1x1 convolution, (n, rows, columns, width)."""
        y = layers.Conv2D(self.width // 2, 3, 1, "same", activation="relu")(layers.ReLU()(x))
        return layers.Add()([x, layers.Conv2D(self.width, 1)(y)])

    def phases(self):
        return [
            Phase("autoencoder", [self.encoder, self.codebook, self.decoder], self.autoencoder_loss),
            Phase("prior", [self.prior], self.prior_loss),
        ]

    def forward(self, images, labels, training):
        points = self.encoder(images, training=training)
        codes, vectors = self.codebook(points)
        passed = ops.stop_gradient(vectors) + (points - ops.stop_gradient(points))  # the vectors, to the last bit
        made = ops.sigmoid(self.decoder(passed, training=training))
        return VQVAEOutputs(images, made, points, vectors, codes, self.prior(codes))

    def autoencoder_loss(self, q: VQVAEOutputs):
        """||x - x'||^2 + ||sg[z] - e||^2 + beta ||z - sg[e]||^2 (van den Oord et al., equation 3)."""
        distortion = losses.squared_error(q.images, q.reconstructions)
        learning = losses.squared_error(ops.stop_gradient(q.points), q.vectors)
        commitment = losses.squared_error(q.points, ops.stop_gradient(q.vectors))
        use = ops.mean(ops.one_hot(q.codes, self.codes), axis=(0, 1, 2))  # (codes,)
        perplexity = ops.exp(-ops.sum(use * ops.log(use + 1e-10)))  # how many codes the batch uses, in effect
        logs = {"mse": ops.mean(ops.square(q.images - q.reconstructions), (1, 2, 3)), "perplexity": perplexity}
        return distortion + learning + self.commitment * commitment, logs

    def prior_loss(self, q: VQVAEOutputs):
        """-log p(codes) in nats a code."""
        return ops.mean(losses.cross_entropy(q.codes, q.logits), (1, 2))

    def published_optimizers(self):
        return {name: keras.optimizers.Adam(2e-4) for name in ("autoencoder", "prior")}

    def call(self, images, training=False):
        """Images, uint8 or float32 in [0, 1], to their reconstructions in [0, 1]."""
        return self.forward(unit_range(images), None, training).reconstructions

    def encoded(self, images):
        """Images, uint8 or float32 in [0, 1], to their codes (n, height / 4, width / 4)."""
        return self.codebook(self.encoder(unit_range(images)))[0]

    def decoded(self, codes):
        """Codes (n, height / 4, width / 4) to images in [0, 1]."""
        return ops.sigmoid(self.decoder(self.codebook.look_up(codes)))

    def encode(self, x) -> np.ndarray:
        """The codes of one image or a batch of n: int32 (n, height / 4, width / 4) in [0, codes)."""
        return inference.images_to_rows(self, self.encoded, x).astype(np.int32)

    def decode(self, codes) -> np.ndarray:
        """float32 images in [0, 1], (n, height, width, channels), from integers (n, height / 4, width / 4).

        Raises:
            ValueError: For another shape, no rows or numbers that are no codes.
        """
        codes, (rows, columns) = np.asarray(codes), self.grid
        if codes.shape[1:] != self.grid or len(codes) == 0 or not np.issubdtype(codes.dtype, np.integer):
            raise ValueError(f"got codes {codes.dtype} {codes.shape}; allowed: integers (n, {rows}, {columns}), n >= 1")
        if codes.min() < 0 or codes.max() >= self.codes:
            raise ValueError(f"got codes in [{codes.min()}, {codes.max()}]; allowed: [0, {self.codes})")
        return inference.in_batches(self.decoded, codes.astype(np.int32))

    def reconstruct(self, x) -> np.ndarray:
        """decode(encode(x)) for one image or a batch, in the type that came in."""
        return inference.images_to_images(self, self, x)

    def generate(self, n: int, seed: int = 0) -> np.ndarray:
        """n images from grids drawn from the prior; float32 in [0, 1], (n, height, width, channels)."""
        chances = ndtr(inference.noise(self, n, seed).astype(np.float64)).reshape(n, *self.grid, 1)

        def draw(place, probabilities):
            drawn = (probabilities.cumsum(axis=1) < chances[place]).sum(axis=1)
            return np.minimum(drawn, self.codes - 1)  # the sum of all may be a rounding below 1

        return self.decode(self._grids(n, draw))

    def compress(self, x) -> bytes:
        """One image or a batch as bytes: its codes, in as few bits as the prior's probabilities allow.

        20 bytes beside them hold the number of images and what `decompress` checks. Reader and writer need equal
        probabilities, to the last bit, and floating-point numbers are only equal where weights, backend, libraries
        and kind of processor are.
        """
        codes = self.encode(x)
        encoder = entropy_coding.Encoder()

        def write(place, probabilities):
            encoder.write(codes[place], entropy_coding.frequencies(probabilities))
            return codes[place]

        self._grids(len(codes), write)
        return entropy_coding.pack(encoder.to_bytes(), len(codes), self._digest(), codes)

    def decompress(self, data: bytes) -> np.ndarray:
        """What `compress` was given, as exactly `decode(encode(x))`: float32 (n, height, width, channels).

        Raises:
            ValueError: For other bytes, cut short or altered, from other weights, or from where numbers round
                otherwise (see `compress`).
        """
        stream, count, checksum = entropy_coding.unpack(data, self._digest())
        decoder = entropy_coding.Decoder(stream)
        try:
            codes = self._grids(count, lambda place, p: decoder.read(entropy_coding.frequencies(p)))
            decoder.close(codes, checksum)
        except ValueError as error:
            raise ValueError(
                f"got images whose probabilities this machine computes otherwise ({error}); allowed: those compressed "
                "with the same backend, libraries and kind of processor"
            ) from error
        return self.decode(codes)

    def _grids(self, n: int, choose: Callable) -> np.ndarray:
        """Fills n grids place by place, each in sight of what was filled before: int32 (n, rows, columns).

        All that goes through the prior's order goes this way, so that whoever writes sees the numbers of whoever reads.

        Args:
            n: How many.
            choose: Gives the codes (m,) from their place, an index of (n, rows, columns), and the probabilities
                (m, codes) there.
        """
        parts = []  # the count may be forged: memory grows only with the codes that were found
        for start in range(0, n, inference.BATCH):
            part = np.zeros((min(inference.BATCH, n - start), *self.grid), np.int32)
            some = slice(start, start + len(part))
            for row, column in np.ndindex(*self.grid):
                logits = ops.convert_to_numpy(self.prior(part[:, : row + 1]))[:, row, column]  # (m, codes)
                part[:, row, column] = choose((some, row, column), softmax(logits.astype(np.float64), axis=1))
            parts.append(part)
        return np.concatenate(parts)

    def _digest(self) -> bytes:
        """Names the weights, in 4 bytes."""
        found = hashlib.sha256()
        for weight in self.weights:
            found.update(np.ascontiguousarray(ops.convert_to_numpy(weight)).tobytes())
        return found.digest()[:4]
