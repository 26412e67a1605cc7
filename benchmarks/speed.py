"""Measures time and memory of the zoo as ratios to its peers.

    python benchmarks/speed.py step                        # training steps of all networks
    python benchmarks/speed.py step cnn gan --rounds 5     # of two networks
    python benchmarks/speed.py step --torch compiled --seeds 3   # also PyTorch, and the losses after equal steps
    python benchmarks/speed.py verbs --precision bfloat16  # for the zoo's verbs only; `step` passes it to `compile`
    python benchmarks/speed.py epoch                       # an epoch of each recipe
    python benchmarks/speed.py verbs                       # each verb, for several sizes
    python benchmarks/speed.py command --other .venv/bin/cnnzoo  # the command line, against another installation
    python benchmarks/speed.py style 512 --torch eager     # style transfer to the loss of 500 steps of Adam
    python benchmarks/speed.py memory                      # peak memory of a process
    python benchmarks/speed.py all --out docs/speed.md     # all measurements, and the tables and chart of the docs
    python benchmarks/speed.py table --out docs/speed.md   # only the tables and chart, from stored rows

The times of steps, epochs, verbs and commands come from interleaved rounds (see `speed/rounds.py`), those of style
transfer from one run of each side. Rows are stored in a file (`--rows`), so that measurements can be made one after
another.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from speed import commands, epochs, memory, report, steps, styles, verbs
from speed.cases import CASES

Rows = Iterator[tuple[str, dict[str, Any]]]


def step(asked: argparse.Namespace) -> Rows:
    yield "roof", steps.roof()
    for name in asked.names or CASES:
        yield f"step/{name}", steps.measured(name, asked.rounds, asked.seeds, asked.precision, asked.torch)


def epoch(asked: argparse.Namespace) -> Rows:
    for name in asked.names or epochs.names():
        yield f"epoch/{name}", epochs.measured(name, asked.rounds, asked.precision)


def verb(asked: argparse.Namespace) -> Rows:
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.names or verbs.VERBS:
            exports, precision = str(asked.exports or folder), asked.precision or "float32"
            for row in verbs.measured(name, asked.rounds, exports, tuple(asked.without), precision):
                yield f"verbs/{row['title']}/{row['size']}", row


def command(asked: argparse.Namespace) -> Rows:
    for name in asked.names or commands.COMMANDS:
        yield f"command/{name}", commands.measured(name, asked.rounds, asked.other)


def style(asked: argparse.Namespace) -> Rows:
    for side in asked.names or (512, 1024):
        yield f"style/{side}", styles.measured(int(side), bool(asked.torch))


def peak(asked: argparse.Namespace) -> Rows:
    for name in asked.names or (*CASES, *memory.VERBS):
        yield f"memory/{name}", memory.of_step(name) if name in CASES else memory.of_verb(name)


def everything(asked: argparse.Namespace) -> Rows:
    for part in (step, epoch, verb, command, style, peak):
        yield from part(asked)


PARTS = {
    "step": step,
    "epoch": epoch,
    "verbs": verb,
    "command": command,
    "style": style,
    "memory": peak,
    "all": everything,
}
NAMES = {
    "step": CASES,
    "verbs": verbs.VERBS,
    "command": commands.COMMANDS,
    "memory": {**CASES, **verbs.VERBS},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*PARTS, "table"])
    parser.add_argument("names", nargs="*", metavar="NAME", help="rows (default: all)")
    parser.add_argument("--rounds", type=int, default=7, help="clean rounds (default: 7)")
    parser.add_argument("--seeds", type=int, default=0, help="runs of a step whose losses are compared (default: none)")
    parser.add_argument("--torch", choices=("eager", "compiled"), help="PyTorch's loops too; with its compiler")
    parser.add_argument("--precision", help="of the zoo's steps (default: auto) and verbs (float32)")
    parser.add_argument("--other", help="the cnnzoo of another installation, beside this one's commands")
    parser.add_argument("--exports", type=Path, help="a folder to keep exported files in, for the next run")
    parser.add_argument("--without", nargs="+", default=[], help="sides of the verbs to leave out, such as openvino")
    parser.add_argument("--rows", type=Path, default=Path("speed.json"), help="the file of rows (default: speed.json)")
    parser.add_argument("--out", type=Path, help="a page whose table and chart are written")
    asked = parser.parse_args()
    allowed = NAMES.get(asked.what)
    if allowed and (unknown := [name for name in asked.names if name not in allowed]):
        parser.error(f"a name must be one of {', '.join(allowed)}. Received: {', '.join(unknown)}")
    rows = json.loads(asked.rows.read_text()) if asked.rows.exists() else {}
    if asked.what != "table":
        for key, row in PARTS[asked.what](asked):
            rows[key] = row
            print(report.line(key, row, rows.get("roof")), flush=True)
            asked.rows.write_text(json.dumps(rows, indent=1) + "\n")
    if asked.out:
        report.write(rows, asked.out)


if __name__ == "__main__":
    main()
