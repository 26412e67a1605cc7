"""The heart: phases, the model base that runs them, and the training step on both backends."""

from cnnzoo.phases.model import PhasedModel
from cnnzoo.phases.phase import Phase

__all__ = ["Phase", "PhasedModel"]
