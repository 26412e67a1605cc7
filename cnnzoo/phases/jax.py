"""The training and test step on JAX; `cnnzoo.phases.tensorflow` is its mirror image."""

from collections.abc import Iterable
from typing import Any

import jax
import keras

from cnnzoo.phases.phase import global_norm


class _Values:
    """The current value of each variable during a stateless step."""

    def __init__(self, lists: list[list], state: Any) -> None:
        groups = zip(lists, state, strict=True)
        self._of = {id(v): (v, x) for group, xs in groups for v, x in zip(group, xs, strict=True)}

    def get(self, variables: Iterable) -> list:
        return [self._of[id(v)][1] for v in variables]

    def put(self, variables: Iterable, values: Iterable) -> None:
        self._of.update({id(v): (v, x) for v, x in zip(variables, values, strict=True)})

    def scope(self, *more: tuple) -> keras.StatelessScope:
        return keras.StatelessScope(state_mapping=[*self._of.values(), *more])


def step(model: Any, train: bool, state: Any, batch: Any) -> tuple[dict[str, Any], tuple]:
    """Runs the phases of a model on a batch and returns its logs and the new state."""
    batch = model.unpack(batch)
    lists = [model.trainable_variables, model.non_trainable_variables]
    lists += [model.optimizer.variables, model.metrics_variables] if train else [model.metrics_variables]
    values = _Values(lists, state)
    results: list[tuple] = []
    for phases, images, labels, weights in model.turns(batch, train):
        metric_inputs = _update(model, values, phases, images, labels, weights, train, results)
    if train:
        counter = model.optimizer._iterations
        (steps,) = values.get([counter])
        values.put([counter], [steps + 1])
        for value, average in model.ema_pairs():
            rate = model.ema_rate(steps + 1)
            (x,), (mean,) = values.get([value]), values.get([average])
            values.put([average], [mean + jax.numpy.asarray(rate, mean.dtype) * (x - mean)])
    with values.scope() as scope:
        model.record(results, batch[0].shape[0], metric_inputs)
        logs = model._log_values(train)
        values.put(model.metrics_variables, [scope.get_current_value(v) for v in model.metrics_variables])
    return logs, tuple(values.get(group) for group in lists)


def _update(
    model: Any, values: _Values, phases: list, images: Any, labels: Any, weights: Any, train: bool, results: list
) -> Any:
    """One differentiated forward pass; each phase updates its own variables by their gradients."""
    groups = [phase.variables for phase in phases]
    side = model.non_trainable_variables  # updated by the forward pass, such as moving means

    def losses(current: list[list]) -> tuple[list, tuple]:
        trained = [p for group, xs in zip(groups, current, strict=True) for p in zip(group, xs, strict=True)]
        with values.scope(*trained) as scope:
            forward = model.forward(images, labels, training=train)
            evaluated = [phase.evaluate(forward, weights, type(model).__name__) for phase in phases]
            metric_inputs = model.metric_inputs(forward, weights)
            scaled = [
                model.optimizer.by_phase[p.name].scale_loss(loss) if train else loss
                for p, (loss, _) in zip(phases, evaluated, strict=True)
            ]
        return scaled, (evaluated, metric_inputs, [scope.get_current_value(v) for v in side])

    if train:
        scaled, pullback, aux = jax.vjp(losses, [values.get(group) for group in groups], has_aux=True)
    else:
        scaled, aux = losses([values.get(group) for group in groups])
    evaluated, metric_inputs, moved = aux
    values.put(side, [new if new is not None else old for new, old in zip(moved, values.get(side), strict=True)])
    results += [(phase, *pair) for phase, pair in zip(phases, evaluated, strict=True)]
    if not train:
        return metric_inputs
    for i, (phase, group) in enumerate(zip(phases, groups, strict=True)):
        (gradients,) = pullback([jax.numpy.ones_like(s) * (i == j) for j, s in enumerate(scaled)])
        if model.watches_gradients:
            evaluated[i][1][model.gradient_name(phase)] = global_norm(gradients[i])
        optimizer = model.optimizer.by_phase[phase.name]
        new, slots = optimizer.stateless_apply(values.get(optimizer.variables), gradients[i], values.get(group))
        values.put(group, new)
        values.put(optimizer.variables, slots)
    return metric_inputs
