"""Networks and data of the timed training steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

PAINTINGS = ("composition_vii", "shipwreck", "starry_night", "the_scream", "udnie", "wave")


@dataclass(frozen=True)
class Case:
    """A network and the batch of a training step.

    Args:
        title: Title of its table row.
        architecture: Architecture of the zoo.
        batch: Batch size.
        side: Side of the training images, in pixels.
        channels: Number of channels of the training images.
        loop: Name of the loop in `speed.usual.LOOPS` and `speed.torch_loops.LOOPS`.
        work: {sub-network: cost of a step in forward passes over the whole batch}. A gradient with respect to weights
            costs one forward pass, and so does one with respect to inputs. Only operations required by the mathematics
            count.
        config: Configuration of the zoo's model.
        alike: Reason for a difference between the losses of both sides; "" if none is expected.
    """

    title: str
    architecture: str
    batch: int
    side: int
    channels: int
    loop: str
    work: Mapping[str, float]
    config: Mapping[str, Any] = field(default_factory=dict)
    alike: str = ""


# Simultaneous updates: a forward pass of the generator and its gradients; the discriminator on real and generated
# images, and its gradients, which the generator shares for generated images. Alternating updates need separate passes.
SIMULTANEOUS, ALTERNATING = {"generator": 3, "discriminator": 6}, {"generator": 4, "discriminator": 8}
DCGAN64 = {"image_shape": (64, 64, 3), "latent_dim": 64, "width": 64}
PENALTY = "the loop has no penalty"

CASES = {
    "cnn": Case("small CNN, b128", "cnn", 128, 28, 1, "classifier", {"backbone": 3, "head": 3}),
    "autoencoder": Case("autoencoder, b128", "autoencoder", 128, 28, 1, "autoencoder", {"encoder": 3, "decoder": 3}),
    "vae": Case("VAE, b128", "vae", 128, 28, 1, "vae", {"encoder": 3, "decoder": 3}),
    "gan": Case("dense GAN, b128, no penalty", "gan", 128, 28, 1, "gan", ALTERNATING, {"regularizer": None}),
    "dcgan": Case("DCGAN 28x28, b64, no penalty", "dcgan", 64, 28, 1, "gan", SIMULTANEOUS, {"regularizer": None}),
    "dcgan_penalty": Case(
        "DCGAN 28x28, b64, default penalty",
        "dcgan",
        64,
        28,
        1,
        "gan",
        {"generator": 3, "discriminator": 9},
        alike=PENALTY,
    ),
    "dcgan64": Case(
        "DCGAN 64x64, width 64, b32, no penalty",
        "dcgan",
        32,
        64,
        3,
        "gan",
        SIMULTANEOUS,
        {**DCGAN64, "regularizer": None},
    ),
    "espcn": Case("ESPCN x3 (collapsible), b8 100x100", "espcn", 8, 300, 1, "upscaler", {"network": 3}, {"scale": 3}),
    "espcn_classic": Case(
        "ESPCN as published x3, b8 100x100", "espcn_classic", 8, 300, 1, "upscaler", {"network": 3}, {"scale": 3}
    ),
    "denoiser": Case(
        "denoiser, color, b16 64x64",
        "denoiser",
        16,
        64,
        3,
        "denoiser",
        {"network": 3},
        {"sigma": (0.0, 55.0), "image_shape": (None, None, 3)},
    ),
    "inpainter": Case("inpainter, b8 64x64", "inpainter", 8, 64, 3, "inpainter", {"network": 3}),
    "fast_style": Case(
        "fast style, six paintings, b2 192x192",
        "fast_style",
        2,
        192,
        3,
        "fast_style",
        {"painter": 3, "maps": 3},  # maps: features of photographs, features of painted images and their gradient
        {"styles": PAINTINGS},
    ),
    "wgan_gp": Case(
        "WGAN-GP, three critic updates, b96",
        "wgan_gp",
        96,
        28,
        1,
        "wgan_gp",
        # Per critic update, on a third of the batch: a generator pass; the critic and its gradients on real and
        # generated images (6); the penalty: a forward pass, the input gradient, and the gradients of both (6).
        {"generator": (3 * 1 + 3) / 3, "discriminator": (3 * 12 + 2) / 3},
        {"latent_dim": 64, "width": 32, "critic_steps": 3},
    ),
}


def images(case: Case, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns training images, float32 (count, side, side, channels) in [0, 1], and integer labels (count,).

    They are scans of digits of scikit-learn for a side of 28, else crops of photographs of scikit-image.
    """
    from cnnzoo.data import load
    from cnnzoo.data.sources import shipped_photographs

    rng = np.random.default_rng(seed)
    if case.side == 28:
        digits = load("digits", "train")
        chosen = rng.permutation(np.resize(np.arange(len(digits.images)), count))
        return digits.images[chosen].astype(np.float32) / 255, digits.labels[chosen]
    photographs = [pixels for pixels in shipped_photographs("train").values() if pixels.shape[2] == 3]
    crops = np.empty((count, case.side, case.side, case.channels), np.float32)
    for i in range(count):
        pixels = photographs[i % len(photographs)]
        top, left = (rng.integers(extent - case.side + 1) for extent in pixels.shape[:2])
        crop = pixels[top : top + case.side, left : left + case.side].astype(np.float32) / 255
        crops[i] = crop if case.channels == 3 else crop.mean(axis=2, keepdims=True)
    return crops, np.arange(count) % 10


def paintings() -> dict[str, np.ndarray]:
    """Returns photographs in place of the paintings; their content does not affect times."""
    from cnnzoo.data.sources import shipped_photographs

    pictures = [pixels for pixels in shipped_photographs("train").values() if pixels.shape[2] == 3]
    return {name: pictures[i % len(pictures)][:256, 16 * i :] for i, name in enumerate(PAINTINGS)}


def built(case: Case, seed: int) -> Any:
    """Returns the zoo's model with weights initialized from a seed, not compiled."""
    import keras

    import cnnzoo

    keras.utils.set_random_seed(seed)
    model = cnnzoo.build(case.architecture, **case.config)
    if case.loop == "fast_style":
        model.set_style_targets(paintings())
    return model
