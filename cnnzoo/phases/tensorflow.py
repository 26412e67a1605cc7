"""The training and test step on TensorFlow; `cnnzoo.phases.jax` is its mirror image."""

from typing import Any

import tensorflow as tf

from cnnzoo.nn.replicas import counting
from cnnzoo.phases import fused_adam
from cnnzoo.phases.phase import frozen, global_norm, share_size


def step(model: Any, train: bool, batch: Any) -> dict[str, Any]:
    """Runs the phases of a model on a batch and returns its logs."""
    batch = model.unpack(batch)
    strategy = tf.distribute.get_strategy()
    replicas = strategy.num_replicas_in_sync
    size = tf.shape(batch[0])[0]
    if model.least_batch > 1:
        complaint = f"A batch must have {model.least_batch} images or more on each device. Received: fewer"
        tf.debugging.Assert((size == 0) | (size >= model.least_batch), [complaint])
    share = _replica_share(model, size) if train and replicas > 1 else 1.0
    if replicas > 1:
        batch = tuple(x if x is None else _one_or_more(x) for x in batch)
    results: list[tuple] = []
    with counting(tf.cast(size > 0, tf.float32)):
        for phases, images, labels, weights in model.turns(batch, train):
            if train:
                forward = _update(model, phases, images, labels, weights, share, results)
            else:
                forward = model.forward(images, labels, training=False)
                results += [(phase, *phase.evaluate(forward, weights, type(model).__name__)) for phase in phases]
    metric_inputs = model.metric_inputs(forward, weights)
    if metric_inputs is not None and replicas > 1:
        metric_inputs = tuple(x if x is None else x[:size] for x in metric_inputs)
    model.record(results, size, metric_inputs)
    if train:
        model.optimizer._iterations.assign_add(1)
        if replicas > 1:
            _average_statistics(model, share)
        _update_averages(model, replicas)
    logs = model._log_values(train)
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        logs = {k: tf.expand_dims(v, 0) for k, v in logs.items()}  # Keras reduces them over axis 0
    return logs


def _update(model: Any, phases: list, images: Any, labels: Any, weights: Any, share: Any, results: list) -> Any:
    """One recorded forward pass; each phase updates its own variables by their gradients."""
    with tf.GradientTape(persistent=len(phases) > 1, watch_accessed_variables=False) as tape:
        for phase in phases:
            tape.watch([v.value for v in phase.variables])
        forward = model.forward(images, labels, training=True)
        scaled, recorded = [], []
        for phase in phases:
            loss, logs = phase.evaluate(forward, weights, type(model).__name__)
            results.append((phase, loss, logs))
            recorded.append(logs)
            # Keras sums the gradients over the replicas, hence the factor of this replica's fraction.
            scaled.append(model.optimizer.by_phase[phase.name].scale_loss(loss * share))
    for phase, loss, logs in zip(phases, scaled, recorded, strict=True):
        variables = phase.variables
        gradients = tape.gradient(loss, [v.value for v in variables])
        if model.watches_gradients:
            logs[model.gradient_name(phase)] = global_norm(_summed(gradients))
        fused_adam.apply(model.optimizer.by_phase[phase.name], gradients, variables)
    return forward


def _summed(gradients: list) -> list:
    """The gradients of all replicas together; those that the loss does not depend on are left out."""
    gradients = [tf.convert_to_tensor(gradient) for gradient in gradients if gradient is not None]
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return gradients
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)


def _replica_share(model: Any, size: Any) -> Any:
    """This replica's fraction of the images of an update."""
    seen = tf.cast(share_size(size, max(phase.repeats for phase in model.phases())), tf.float32)
    seen = tf.where(size == 0, 0.0, seen)
    return seen / tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, seen)


def _average_statistics(model: Any, share: Any) -> None:
    # Moving means and other statistics: Keras keeps one per replica and would save the first.
    layers = [layer for phase in model.phases() for layer in phase.layers]
    held = {id(v): v.value for layer in layers for v in layer.non_trainable_variables if "float" in v.dtype}
    kept = frozen(layers)  # equal on all replicas; a sum of their shares would round them
    context = tf.distribute.get_replica_context()
    for value in (value for key, value in held.items() if key not in kept):
        value.assign(context.all_reduce(tf.distribute.ReduceOp.SUM, value * tf.cast(share, value.dtype)))


def _update_averages(model: Any, replicas: int) -> None:
    """Moves each exponential moving average towards its live weights."""
    pairs = model.ema_pairs()
    if not pairs:
        return
    rate = model.ema_rate(model.optimizer._iterations)

    def towards(average: Any, value: Any) -> None:
        average.assign_add(tf.cast(rate, average.dtype) * (value - average))

    if replicas == 1:
        for value, average in pairs:
            towards(average.value, value.value)
        return

    def everywhere(strategy: Any) -> None:  # mirrored variables cannot be assigned inside a replica
        for value, average in pairs:
            strategy.extended.update(average.value, towards, args=(value.value,))

    tf.distribute.get_replica_context().merge_call(everywhere)


def _one_or_more(rows: Any) -> Any:
    """Rows (n, ...), or one row of zeros for an empty replica, against NaN means; its loss has weight 0."""
    beyond = tf.cast(tf.shape(rows)[:1] == 0, tf.int32)
    return tf.concat([rows, tf.zeros(tf.concat([beyond, tf.shape(rows)[1:]], 0), rows.dtype)], 0)
