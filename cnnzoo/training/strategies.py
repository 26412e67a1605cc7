"""Training on several devices or machines: one global batch, shared by replicas."""

import json
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras

from cnnzoo.training.run_dir import Run
from cnnzoo.utils.atomic_files import json_text, locked

MIRRORED, MULTI_WORKER = STRATEGIES = ("mirrored", "multi-worker")


class WorkerLost(ConnectionError):
    """Another worker of a run ended or cannot be reached."""


@dataclass(frozen=True)
class Strategy:
    """The replicas of a run: on one device, unless `strategy_of` finds more.

    Attributes:
        replicas: Copies of the model that train together, each on its rows of every batch.
        workers: Processes.
        worker: The number of this process, from 0. The chief, number 0, writes all files.
        building: The context in which models and optimizers are built.
        running: The context in which they train.
        distributor: The strategy of TensorFlow, if any.
    """

    replicas: int = 1
    workers: int = 1
    worker: int = 0
    building: Callable[[], AbstractContextManager] = nullcontext
    running: Callable[[], AbstractContextManager] = nullcontext
    distributor: Any = None

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the files of the run."""
        return self.worker == 0

    def check(self, plan: dict[str, Any]) -> None:
        """Checks that the replicas can share a batch, and that no gradients are accumulated over several replicas.

        Raises:
            ValueError: They cannot share it; the message has the nearest sizes that they can. Or they accumulate.
        """
        size = plan["batch_size"]
        if self.replicas > 1 and plan.get("accumulate", 1) > 1:
            raise ValueError(
                f"`accumulate` must be 1 with {self.replicas} replicas, where Keras fails. "
                f"Received: {plan['accumulate']}"
            )
        if size % self.replicas:
            below = size // self.replicas * self.replicas
            nearest = " or ".join(str(n) for n in (below, below + self.replicas) if n)
            raise ValueError(
                f"`batch_size` must be a multiple of {self.replicas}, the number of replicas. Received: {size}; the "
                f"nearest: {nearest}"
            )

    def any(self, flag: bool) -> bool:
        """Whether a flag is set on any worker; all call it at the same step."""
        return self._sum(int(flag)) > 0 if self.workers > 1 else flag

    def check_same(self, plan: dict[str, Any], step: int) -> None:
        """Checks that all workers have one plan and begin at one step.

        Raises:
            ValueError: They have not.
        """
        if self.workers == 1:
            return
        versions = {key: value for key, value in plan["versions"].items() if key != "cpus"}
        number = zlib.crc32(json_text([{**plan, "versions": versions}, step]).encode())
        if self._sum(number) != self.workers * number:
            raise ValueError(
                "All workers must have the same settings, data, versions and run folder. Received: others on some of "
                f"the {self.workers} workers"
            )

    def shared(self, stream: Callable[[slice], Any], batch_size: int) -> Any:
        """The data of this worker, for `fit`: its own rows of all batches, and no others.

        Args:
            stream: Gives the batches with some of their rows.
            batch_size: Images in a whole batch.
        """
        if self.workers == 1:
            return stream(slice(None))
        import tensorflow as tf

        own = batch_size // self.workers
        data = stream(slice(own * self.worker, own * (self.worker + 1)))
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        # Without sharding, TensorFlow still divides a batch by the replicas of all workers. So this worker gives its
        # images of several steps at once.
        return data.rebatch(batch_size, drop_remainder=True).with_options(options)

    @contextmanager
    def writing(self, run: Run) -> Iterator[Run]:
        """The run that this process writes: the run itself for the chief, which locks it; a temporary copy for others.

        All workers do the same work, since reading a mean over the replicas takes all of them.
        """
        if self.is_chief:
            with locked(run.path):
                run.sweep()
                yield run
            return
        with TemporaryDirectory(prefix="cnnzoo-worker-") as folder:
            yield Run(Path(folder), run.plan)

    @contextmanager
    def losses(self, run: Run | None = None) -> Iterator[None]:
        """Raises errors of the connection to other workers as `WorkerLost`, with the command that resumes a run."""
        if self.workers == 1:
            yield
            return
        import tensorflow as tf

        names = "Unavailable", "Aborted", "Cancelled", "DeadlineExceeded", "FailedPrecondition", "Internal", "Unknown"
        lost = tuple(getattr(tf.errors, f"{name}Error") for name in names)
        try:
            yield
        except lost as error:
            remedy = f"; resume with: {run.resume_command}" if run else ""
            raise WorkerLost(f"another worker was lost{remedy}") from error

    def _sum(self, number: int) -> int:
        """The sum of a number over the workers."""
        import tensorflow as tf

        (first, *_) = self.distributor.experimental_local_results(self._total(tf.constant(number, tf.int64)))
        return int(first) * self.workers // self.replicas

    @cached_property
    def _total(self) -> Any:
        """The sum of a number over the replicas, as a compiled function."""
        import tensorflow as tf

        def add(number: Any) -> Any:
            placed = tf.identity(number)  # on the device of the replica
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, placed)

        return tf.function(lambda number: self.distributor.run(add, args=(number,)))


def strategy_of(name: str | None) -> Strategy:
    """The strategy of a name.

    Args:
        name: None for one device. "mirrored": all devices of this machine. "multi-worker": all devices of all workers
            in `TF_CONFIG`, with TensorFlow; call it before anything else uses TensorFlow.

    Raises:
        ValueError: Another name, `TF_CONFIG` is missing or wrong, or JAX with several workers.
    """
    if name is None:
        return Strategy()
    if name not in STRATEGIES:
        raise ValueError(f"`strategy` must be one of {', '.join(STRATEGIES)}. Received: {name!r}")
    if keras.backend.backend() == "jax":
        return _on_jax(name)
    import tensorflow as tf

    if name == MIRRORED:
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        mirrored = tf.distribute.MirroredStrategy([device.name for device in devices])
        return Strategy(mirrored.num_replicas_in_sync, building=mirrored.scope, distributor=mirrored)
    workers, worker = _cluster()
    try:
        several = tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise ValueError(
            f"`strategy` must be given before TensorFlow is used in this process. Received: {name!r} too late ({error})"
        ) from None
    return Strategy(several.num_replicas_in_sync, workers, worker, building=several.scope, distributor=several)


def _on_jax(name: str) -> Strategy:
    if name != MIRRORED:
        raise ValueError(f"`strategy` must be {MIRRORED} with the backend jax. Received: {name!r}")
    parallel = keras.distribution.DataParallel(devices=keras.distribution.list_devices())
    return Strategy(parallel.num_model_replicas, building=parallel.scope, running=parallel.scope)


def _cluster() -> tuple[int, int]:
    """The number of workers in `TF_CONFIG`, and that of this one."""
    rule = (
        "TF_CONFIG must name the workers and this one: "
        """{"cluster": {"worker": ["HOST:PORT", "HOST:PORT"]}, "task": {"type": "worker", "index": 0}}"""
    )
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        tasks = [(kind, i) for kind in ("chief", "worker") for i in range(len(cluster.get(kind, ())))]
        if set(cluster) <= {"chief", "worker"} and (place := (task["type"], task["index"])) in tasks:
            return len(tasks), tasks.index(place)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise ValueError(f"{rule}. Received: {text[:200] or 'none'}")
