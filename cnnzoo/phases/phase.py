"""A phase: what one optimizer lowers, and the layers it updates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops


@dataclass(frozen=True)
class Phase:
    """One optimisation inside a training step.

    Args:
        name: The key of its optimizer, and of its loss in the logs (`<name>_loss`).
        layers: The layers whose trainable variables it updates; no others move.
        loss: A pure function of what `PhasedModel.forward` returned. It gives the losses of the images, float32 (n,),
            of which the mean is lowered, weighted where the data have sample weights; or a scalar, where the loss is
            one of the whole batch, which refuses weights. Or a pair of either and `{log name: (n,) or scalar}`; of logs
            the plain mean is taken.
        repeats: How often it is run in a step, each time on its own share of the batch, of the size that all then see.
            The schedule of its optimizer counts each.
        penalty: A function without arguments that gives a scalar to be added to the loss, such as a weight decay, which
            sample weights leave alone.
    """

    name: str
    layers: Sequence[keras.Layer]
    loss: Callable[[Any], Any]
    repeats: int = 1
    penalty: Callable[[], Any] | None = None

    @property
    def variables(self) -> list:
        """The trainable variables this phase updates, in the order of its layers."""
        return [v for layer in self.layers for v in layer.trainable_variables]

    def evaluate(self, forward: Any, weights: Any = None, owner: str = "a model") -> tuple[Any, dict[str, Any]]:
        """The pair (loss, logs) of scalars, whichever form `loss` gives.

        Args:
            forward: What `PhasedModel.forward` returned.
            weights: Of the images, (n,), as in Keras's "sum_over_batch_size": the loss is the sum of w loss / n.
            owner: The model that an error names.

        Raises:
            ValueError: For weights where the loss is no mean over images.
        """
        result = self.loss(forward)
        losses, logs = result if isinstance(result, tuple) else (result, {})
        losses = ops.cast(losses, "float32")
        if weights is not None:
            if len(losses.shape) != 1:
                raise ValueError(
                    f"got sample weights; allowed: none for {owner}, whose loss {self.name!r} is of the whole batch "
                    "and no mean over its images"
                )
            losses = losses * weights
        loss = ops.mean(losses)
        if self.penalty is not None:
            loss = loss + self.penalty()
        return loss, {name: ops.mean(value) for name, value in logs.items()}


def share_size(count: Any, shares: int) -> Any:
    """How many images each update of a step sees: a share of them, or one, where there are fewer images than shares."""
    return max(count // shares, 1) if isinstance(count, int) else ops.maximum(count // shares, 1)
