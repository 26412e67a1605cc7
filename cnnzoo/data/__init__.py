"""Data sets and folders of images, decoded, and batches of them as a pure function of (seed, step)."""

from cnnzoo.data.download import get
from cnnzoo.data.image_set import LABELED, DataNotFound, ImageSet
from cnnzoo.data.loading import load, training_images
from cnnzoo.data.permutation import order

__all__ = ["LABELED", "DataNotFound", "ImageSet", "get", "load", "order", "training_images"]
