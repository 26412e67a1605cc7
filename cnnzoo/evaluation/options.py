"""The options and the images of an evaluation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cnnzoo.data import ImageSet, load

Progress = Callable[[int, int], None]  # of (done, total)


@dataclass(frozen=True)
class Options:
    """The arguments of `cnnzoo.evaluate` with the same names, checked; a task reads the ones that it has."""

    limit: int | None = None
    samples: int | None = None
    images: int | None = None
    extractor: str | None = None
    inception: bool = False
    progress: Progress | None = None


def labeled_images(model: Any, data: str, split: str, limit: int | None = None, least: int = 1) -> ImageSet:
    """The images that a model of images of one size is scored on, with the classes in the order of the model.

    Raises:
        ValueError: There are fewer than `least`, or they are of classes that the model does not know.
    """
    found = load(data, split, shape=model.image_shape).few(limit)
    if len(found.images) < least:
        raise ValueError(
            f"The data must have {least} images or more in the split {split!r}. Received: {len(found.images)} of {data}"
        )
    names = getattr(model, "class_names", ())
    return found.relabeled(names) if names else found
