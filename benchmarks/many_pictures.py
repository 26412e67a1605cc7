"""Compares the files of `cnnzoo.beam`, with one bundle in ten failing once, with those of the command.

python benchmarks/many_pictures.py --pictures 2000
"""

import argparse
import contextlib
import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.direct.transform_evaluator import _GroupByKeyOnlyEvaluator
from PIL import Image

from cnnzoo import beam as transforms
from cnnzoo.cli import main as command

SIDE, MODEL = 48, "espcn.x2"
BUNDLE = 10  # pictures per bundle; about one bundle in ten fails once


def make(folder: Path, count: int) -> None:
    """Writes pictures of random smooth color, half of them PNG and half JPEG."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for i in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8)).resize((SIDE, SIDE), 3)
        coarse.save(folder / f"{i:05}.{('png', 'jpg')[i % 2]}")


def fail_once(every: int) -> list[str]:
    """Patches Beam so that the renaming of one result in `every` fails once; returns the list of failed names."""
    rename, failed = transforms.FileSystems.rename, []

    def once(sources: list[str], targets: list[str]) -> None:
        edited = Path(targets[0]).parent.name == "beam"
        if edited and int(Path(targets[0]).stem) % every == 0 and targets[0] not in failed:
            failed.append(targets[0])
            raise OSError("made to fail")
        rename(sources, targets)

    transforms.FileSystems.rename = once
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=2000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pictures, ours, theirs = (Path(folder) / name for name in ("pictures", "beam", "command"))
        make(pictures, args.pictures)
        begun = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            command(["upscale", str(pictures), str(theirs), "--scale", "2", "--model", MODEL])
        took = time.perf_counter() - begun
        failed = fail_once(10 * BUNDLE)
        _GroupByKeyOnlyEvaluator.MAX_ELEMENT_PER_BUNDLE = BUNDLE
        begun = time.perf_counter()
        with beam.Pipeline(runner=BundleBasedDirectRunner()) as pipeline:
            names: Any = pipeline | beam.Create(sorted(map(str, pictures.iterdir())))
            made = names | transforms.Edit(MODEL, str(ours))
            made.written | "Files" >> beam.io.WriteToText(f"{folder}/written")
            made.failed | "Failed" >> beam.io.WriteToText(f"{folder}/failed")
        took_beam = time.perf_counter() - begun
        said = [line for path in Path(folder).glob("written-*") for line in path.read_text().splitlines()]
        refused = [line for path in Path(folder).glob("failed-*") for line in path.read_text().splitlines()]
        same = {path.name: path.read_bytes() for path in ours.iterdir()} == {
            path.name: path.read_bytes() for path in theirs.iterdir()
        }
        once = len(said) == len(set(said)) == args.pictures and not refused
    print(
        f"{args.pictures} pictures, {len(failed)} of them failed once: {'each is there once' if once else 'NOT ONCE'}"
    )
    print(f"{'equal to' if same else 'OTHER THAN'} the files of the command")
    print(f"{took_beam:.0f} s on the direct runner, {took:.0f} s by the command")
    return 0 if once and same else 1


if __name__ == "__main__":
    sys.exit(main())
