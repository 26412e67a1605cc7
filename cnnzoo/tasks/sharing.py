"""The push of a model to the Hugging Face Hub."""

from collections.abc import Iterable

from cnnzoo import hub
from cnnzoo.metrics.scores import Score
from cnnzoo.phases import PhasedModel


class Shared(PhasedModel):
    """A model that can be pushed to the Hub; the base of all models of the zoo."""

    def push_to_hub(
        self,
        repository: str,
        *,
        description: str = "",
        data: str = "",
        scores: Iterable[Score] = (),
        licence: str | None = None,
        private: bool = False,
    ) -> str:
        """Writes this model to "USER/NAME" and returns its name there; see `cnnzoo.hub.push_to_hub`."""
        return hub.push_to_hub(
            self, repository, description=description, data=data, scores=scores, licence=licence, private=private
        )
