"""Phases, the model base class, and the training step on TensorFlow and JAX."""

from cnnzoo.phases.model import PhasedModel
from cnnzoo.phases.phase import Phase

__all__ = ["Phase", "PhasedModel"]
