"""A phase: a loss, its layers and one optimizer."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops


@dataclass(frozen=True)
class Phase:
    """One optimization within a training step: a loss and the layers to update.

    Args:
        name: Key of its optimizer, and of its loss in the logs (`<name>_loss`).
        layers: The layers to update; all others are constant.
        loss: A pure function of the result of `PhasedModel.forward`. It returns per-image losses, float32 (n,),
            averaged with sample weights if given; or a scalar loss of the whole batch, which rejects sample weights.
            Optionally in a pair with `{log name: (n,) or scalar}`, averaged without weights.
        repeats: Updates per step, each on its own part of the batch; all phases then see parts of that size. The
            schedule of its optimizer counts each update.
        penalty: A function without arguments, for a scalar added to the loss, such as weight decay; independent of
            sample weights.
    """

    name: str
    layers: Sequence[keras.Layer]
    loss: Callable[[Any], Any]
    repeats: int = 1
    penalty: Callable[[], Any] | None = None

    @property
    def variables(self) -> list:
        """The trainable variables of its layers, in order."""
        return [v for layer in self.layers for v in layer.trainable_variables]

    def evaluate(self, forward: Any, weights: Any = None, owner: str = "a model") -> tuple[Any, dict[str, Any]]:
        """The scalars (loss, logs), for any form of `loss`.

        Args:
            forward: The result of `PhasedModel.forward`.
            weights: Of the images, (n,), as in Keras's "sum_over_batch_size": the loss is the sum of w loss / n.
            owner: Name of the model, for errors.

        Raises:
            ValueError: For weights with a scalar loss.
        """
        result = self.loss(forward)
        losses, logs = result if isinstance(result, tuple) else (result, {})
        losses = ops.cast(losses, "float32")
        if weights is not None:
            if len(losses.shape) != 1:
                raise ValueError(
                    f"`sample_weight` must be None for {owner}, whose loss {self.name!r} is of the whole batch and no "
                    "mean over its images. Received: sample weights"
                )
            losses = losses * weights
        loss = ops.mean(losses)
        if self.penalty is not None:
            loss = loss + self.penalty()
        return loss, {name: ops.mean(value) for name, value in logs.items()}


def global_norm(gradients: Iterable[Any]) -> Any:
    """The Euclidean norm of all gradients together, as `global_clipnorm` of Keras compares it."""
    return ops.sqrt(sum(ops.sum(ops.square(ops.cast(gradient, "float32"))) for gradient in gradients))


def frozen(layers: Iterable[keras.Layer]) -> set[int]:
    """The ids of the variables of those layers, and layers inside, that are not trainable."""
    inside = [each for layer in layers for each in layer._flatten_layers() if not each.trainable]
    return {id(v) for layer in inside for v in layer.weights}


def share_size(count: Any, shares: int) -> Any:
    """Images per update of a step: count // shares, at least 1."""
    return max(count // shares, 1) if isinstance(count, int) else ops.maximum(count // shares, 1)
