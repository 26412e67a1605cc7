"""The latent vectors of a command, from images or noise."""

import argparse
from typing import TYPE_CHECKING, Any

from cnnzoo.cli import models
from cnnzoo.cli.pictures import read

if TYPE_CHECKING:
    import numpy as np


def latent_model(name: str) -> Any:
    """A trained model with latent vectors.

    Raises:
        ValueError: It has none.
    """
    model = models.load_with_method(name)
    if not hasattr(model, "latent_dim") or hasattr(model, "codebook"):  # whose codes are integers
        raise ValueError(
            f"The model must have latent vectors, as generators and autoencoders have. Received: {name!r}, whose task "
            f"is {model.task!r}"
        )
    return model


def codes(args: argparse.Namespace, model: Any) -> "np.ndarray":
    """The latent vectors (n, latent_dim) of the images of a command.

    Raises:
        ValueError: The model cannot encode, or --seed.
    """
    if not hasattr(model, "encode"):
        raise ValueError(
            f"Images must not be given with a model that cannot encode them; autoencoders can. Received: {args.name!r}"
        )
    check_unused(args, "seed")
    images = args.image if isinstance(args.image, list) else [args.image]
    return model.encode(read(images, model, args.invert))


def noise(args: argparse.Namespace, model: Any, n: int) -> "np.ndarray":
    """n random latent vectors (n, latent_dim).

    Raises:
        ValueError: --invert, or a model that cannot draw them.
    """
    if args.invert:
        raise ValueError("--invert must be given with images. Received: no images")
    if not hasattr(model, "draw"):
        raise ValueError(f"{args.name} needs images: it cannot draw random codes")
    return model.draw(n, args.seed or 0)


def check_unused(args: argparse.Namespace, name: str) -> None:
    """An option of random latent vectors, where images are encoded.

    Raises:
        ValueError: It was given.
    """
    if (value := getattr(args, name)) is not None:
        raise ValueError(f"--{name} must be left out where images are encoded. Received: {value}")
