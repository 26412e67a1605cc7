"""The heart: phases, the model base that runs them, and the training step on both backends."""

from cnnzoo.phases.model import Phase, PhasedModel

__all__ = ["Phase", "PhasedModel"]
