"""The latent vectors that a command starts from."""

import argparse
from typing import TYPE_CHECKING, Any

from cnnzoo.cli import models
from cnnzoo.cli.pictures import read

if TYPE_CHECKING:
    import numpy as np


def latent_model(name: str) -> Any:
    """The trained model `name`, which must have latent vectors."""
    model = models.able(name)
    if model.task == "classify":
        raise ValueError(f"got {name!r}, whose task is 'classify'; allowed: a model that generates or reconstructs")
    return model


def codes(args: argparse.Namespace, model: Any) -> "np.ndarray":
    if not hasattr(model, "encode"):
        raise ValueError(f"got images for {args.name!r}, which cannot encode them; allowed: none, or an autoencoder")
    images = args.image if isinstance(args.image, list) else [args.image]
    return model.encode(read(images, model, args.invert))


def noise(args: argparse.Namespace, model: Any, n: int) -> "np.ndarray":
    """n latent vectors of a model that makes images of them."""
    if args.invert:
        raise ValueError("got --invert without images; allowed: with images")
    if not hasattr(model, "draw"):
        raise ValueError(f"got no image for {args.name!r}, which cannot draw latents; allowed: images to begin with")
    return model.draw(n, args.seed)
