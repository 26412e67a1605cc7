"""Latent spaces: interpolation, traversal, inversion, nearest training images, and a mixture over codes."""

from cnnzoo.latent.space import Inverted, Neighbors, images_of, interpolate, invert, nearest, traverse

__all__ = ["Inverted", "Neighbors", "images_of", "interpolate", "invert", "nearest", "traverse"]
