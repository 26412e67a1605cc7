"""TensorBoard event files, written without TensorFlow."""

import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class EventFile:
    """One TensorBoard event file. tensorboard's own EventFileWriter imports TensorFlow where it is installed."""

    def __init__(self, folder: Path):
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        self._writer = RecordWriter
        folder.mkdir(exist_ok=True)
        self._path = folder / f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"
        self._write(file_version="brain.Event:2")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds one scalar for each name."""
        entries = [self._summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._write(step=step, summary=self._summary(value=entries))

    def image(self, tag: str, step: int, shape: tuple[int, ...], png: bytes) -> None:
        """Adds a PNG of a shape (height, width, channels)."""
        height, width, channels = shape
        image = self._summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=png)
        self._write(step=step, summary=self._summary(value=[self._summary.Value(tag=tag, image=image)]))

    def hyperparameters(self, trial: str, values: Mapping[str, Any]) -> None:
        """Adds the hyperparameters of a trial, for the HParams page."""
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        plain = {k: v if isinstance(v, (bool, int, float, str)) else json.dumps(v) for k, v in values.items()}
        self._write(summary=hparams_pb(plain, trial_id=trial))

    def _write(self, **content: Any) -> None:
        with self._path.open("ab") as file:
            self._writer(file).write(self._event(wall_time=time.time(), **content).SerializeToString())
