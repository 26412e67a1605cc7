"""Measures throughput, waiting time and memory of training on images streamed from the disk.

    python benchmarks/streams.py --pictures 200000

The data are JPEGs of 256x256 pixels. The first `--made` files differ; the others are hard links to them. Measurements:

- Images per second of a `StreamedSet` at 64x64, from a folder and from shards, and of two plain `tf.data` pipelines in
  the same process: read, decode_jpeg, center crop and resize, bicubic with antialiasing, as `fit_to`, or bilinear
  without antialiasing. The four alternate. The result is the median over the rounds of the ratio to the bicubic
  pipeline.
- The decoder alone: images per second of one thread that decodes and resizes with Pillow, times the number of cores.
- `cnnzoo.train("dcgan")` at 64x64 on the folder, in a separate process: the time to the end of the first step, and peak
  memory.
- The share of the time that training steps of the same `dcgan` wait for their next batch.
- Crops of photographs, for `espcn`: crops per second from the folder, from shards, and of a plain `tf.data` pipeline
  that reads, decodes and crops. Then a training on crops in a separate process, streamed (with `--memory` bytes for
  images) and from memory: the time to its first step, images per second, and peak memory.
"""

import argparse
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter, time
from typing import Any

import numpy as np
from PIL import Image

SIDE, SHAPE, BATCH = 256, (64, 64, 3), 128
ROUNDS, BATCHES = 7, 12  # of the measured rates
STEPS = 40  # of the training in `waiting`
CROP, CROP_STEPS = 63, 200  # of the training on crops: side in pixels, number of steps
MEMORY = 1_000_000  # bytes; so small that all images are streamed


def make(folder: Path, pictures: int, made: int) -> None:
    """Writes missing JPEGs of smooth color with noise, about 28 kB each."""
    folder.mkdir(parents=True, exist_ok=True)

    def draw(i: int) -> None:
        path = folder / f"{i:06}.jpg"
        if not path.exists():
            rng = np.random.default_rng(i)
            smooth = Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).resize((SIDE, SIDE), 3)
            pixels = np.asarray(smooth, float) + rng.normal(0, 6, (SIDE, SIDE, 1))
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path, quality=90)

    made = min(made, pictures)
    with ThreadPoolExecutor() as threads:
        list(threads.map(draw, range(made)))
    for i in range(made, pictures):
        path = folder / f"{i:06}.jpg"
        if not path.exists():
            os.link(folder / f"{i % made:06}.jpg", path)


def bare(files: list[Path], method: str, antialias: bool) -> Any:
    """Returns a plain `tf.data` pipeline that decodes, crops and resizes."""
    import tensorflow as tf

    def read(path: Any) -> Any:
        image = tf.io.decode_jpeg(tf.io.read_file(path), 3)
        side = tf.reduce_min(tf.shape(image)[:2])
        image = tf.image.resize_with_crop_or_pad(image, side, side)
        resized = tf.image.resize(image, SHAPE[:2], method, antialias=antialias)
        return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)

    shuffled = np.random.default_rng(0).permutation([str(path) for path in files])
    paths = tf.data.Dataset.from_tensor_slices(shuffled).repeat()
    return paths.map(read, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH).prefetch(2)


def rate(dataset: Any) -> float:
    """Returns images per second of a pipeline after three batches of warm-up."""
    batches = iter(dataset)
    for _ in range(3):
        next(batches)
    begun = perf_counter()
    for _ in range(BATCHES):
        next(batches)
    return BATCHES * BATCH / (perf_counter() - begun)


def rates(folder: Path, shards: Path) -> None:
    """Prints images per second, and the ratios to the plain bicubic pipeline."""
    from cnnzoo.data import load
    from cnnzoo.data.folder_rows import FolderRows
    from cnnzoo.data.pictures import Pictures, cpus

    files = FolderRows(folder, "train").files
    ways: dict[str, Callable[[], Any]] = {
        "bare tf.data, bicubic": lambda: bare(files, "bicubic", True),
        "bare tf.data, bilinear": lambda: bare(files, "bilinear", False),
        "stream of the folder": lambda: load(folder, "train", SHAPE, memory=0).stream(BATCH, 0),
        "stream of shards": lambda: load(shards, "train", SHAPE, memory=0).stream(BATCH, 0),
    }
    found = np.array([[rate(make()) for make in ways.values()] for _ in range(ROUNDS)])
    ratios = np.median(found / found[:, :1], axis=0)
    for name, median, ratio in zip(ways, np.median(found, axis=0), ratios, strict=True):
        print(f"{name}: {median:.0f} images/s, {ratio:.2f} of the bicubic one", flush=True)
    pictures = Pictures(FolderRows(folder, "train"), np.arange(len(files)), SHAPE)
    begun = perf_counter()
    for i in range(500):
        pictures[i]
    print(f"Pillow on {cpus()} cores, one picture at a time: {500 * cpus() / (perf_counter() - begun):.0f} images/s")


def crop_rates(folder: Path, shards: Path) -> None:
    """Prints crops per second, and the ratios to a plain pipeline."""
    import tensorflow as tf

    from cnnzoo.data import training_images
    from cnnzoo.data.photograph_rows import find

    rows, numbers, _ = find(folder, "train")
    files = [str(rows.files[i]) for i in numbers]

    def read(path: Any) -> Any:
        return tf.image.random_crop(tf.io.decode_jpeg(tf.io.read_file(path), 3), (CROP, CROP, 3))

    def plain() -> Any:
        paths = tf.data.Dataset.from_tensor_slices(np.random.default_rng(0).permutation(files)).repeat()
        return paths.map(read, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH).prefetch(2)

    shape = (None, None, 3)
    ways: dict[str, Callable[[], Any]] = {
        "bare tf.data, one crop of each picture": plain,
        "crops from the folder": lambda: training_images(folder, "train", shape, CROP, 0).stream(BATCH, 0),
        "crops from shards": lambda: training_images(shards, "train", shape, CROP, 0).stream(BATCH, 0),
    }
    found = np.array([[rate(make()) for make in ways.values()] for _ in range(ROUNDS)])
    ratios = np.median(found / found[:, :1], axis=0)
    for name, median, ratio in zip(ways, np.median(found, axis=0), ratios, strict=True):
        print(f"{name}: {median:.0f} crops/s, {ratio:.2f} of the bare one", flush=True)


def crops(folder: Path, memory: int | None, begun: float) -> None:
    """Trains `espcn`; prints the time to the first step, images per second after 20 steps, and peak memory."""
    import keras

    import cnnzoo

    class Watch(keras.callbacks.Callback):
        done, start = 0, 0.0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.done += 1
            if self.done == 1:
                print(f"  first step after {time() - begun:.1f} s", flush=True)
            if self.done == 20:
                self.start = perf_counter()
            if self.done == 20 + CROP_STEPS:
                speed = CROP_STEPS * 16 / (perf_counter() - self.start)
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
                print(f"  {speed:.0f} images/s, most memory {peak:.2f} GB", flush=True)
                os._exit(0)

    with tempfile.TemporaryDirectory() as out:
        settings = {"batch_size": 16, "crop": CROP, "memory": memory, "out": Path(out) / "run", "verbose": 0}
        cnnzoo.train("espcn", data=folder, epochs=1, callbacks=[Watch()], **settings)


def apart(*words: str) -> None:
    """Runs this script in another process."""
    child = os.posix_spawn(sys.executable, [sys.executable, __file__, *words, "--begun", str(time())], os.environ)
    if os.waitpid(child, 0)[1]:
        raise SystemExit("the training failed")


def waiting(folder: Path) -> None:
    """Prints the share of the training time spent waiting for batches."""
    import cnnzoo
    from cnnzoo.data import load

    model = cnnzoo.build("dcgan", image_shape=SHAPE)
    model.compile()
    batches = iter(load(folder, "train", SHAPE, memory=0).stream(BATCH, 0))
    waited, begun = 0.0, 0.0
    for step in range(STEPS + 3):
        if step == 3:  # after the graph is built
            waited, begun = 0.0, perf_counter()
        before = perf_counter()
        batch = next(batches)
        waited += perf_counter() - before
        model.train_on_batch(*batch)
    total = perf_counter() - begun
    print(f"dcgan: {STEPS * BATCH / total:.0f} images/s, {waited / total:.1%} of the time waiting for batches")


def first_step(folder: Path, begun: float) -> None:
    """Trains `dcgan`; prints the time to the first step, and peak memory after `STEPS` steps."""
    import keras

    import cnnzoo

    class Watch(keras.callbacks.Callback):
        done = 0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.done += 1
            if self.done == 1:
                print(f"first step of dcgan after {time() - begun:.1f} s", flush=True)
            if self.done == STEPS:
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
                print(f"most memory in {STEPS} steps: {peak:.2f} GB", flush=True)
                os._exit(0)

    with tempfile.TemporaryDirectory() as out:
        settings = {"config": {"image_shape": SHAPE}, "callbacks": [Watch()], "verbose": 0}
        cnnzoo.train("dcgan", data=folder, epochs=1, memory=MEMORY, out=Path(out) / "run", **settings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=200_000, help="number of files")
    parser.add_argument("--made", type=int, default=6000, help="number of those that differ")
    parser.add_argument("--folder", type=Path, help="keep the files here (default: a temporary folder)")
    parser.add_argument("--only", choices=("rates", "waiting", "first", "crops"), help="one of the measurements")
    parser.add_argument("--memory", type=int, default=MEMORY, help="bytes of pictures in memory, for crops; -1: any")
    parser.add_argument("--begun", type=float, help=argparse.SUPPRESS)  # of the training process
    asked = parser.parse_args()
    if asked.begun is not None and asked.only == "crops":
        return crops(asked.folder, asked.memory if asked.memory >= 0 else None, asked.begun)
    if asked.begun is not None:
        return first_step(asked.folder, asked.begun)
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary) / "pictures"
        make(folder, asked.pictures, asked.made)
        few, shards = (folder.with_name(f"{folder.name}.{kind}") for kind in ("few", "shards"))
        if asked.only in (None, "rates", "crops"):
            from cnnzoo.data.packing import build

            make(few, asked.made, asked.made)
            if not shards.exists():
                build(few, shards)
        if asked.only in (None, "rates"):
            rates(few, shards)
        if asked.only in (None, "crops"):
            crop_rates(few, shards)
            for memory in (asked.memory, -1):
                print(f"espcn on {asked.made} files {'from the disk' if memory >= 0 else 'in memory'}", flush=True)
                apart("--folder", str(few), "--only", "crops", "--memory", str(memory))
        if asked.only in (None, "waiting"):
            waiting(folder)
        if asked.only in (None, "first"):
            apart("--folder", str(folder))


if __name__ == "__main__":
    main()
