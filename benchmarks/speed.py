"""Times as ratios, each from interleaved rounds: the zoo beside what else does the same work on this machine.

    python benchmarks/speed.py step                        # training steps of all networks, ten minutes
    python benchmarks/speed.py step cnn gan --rounds 5     # of some
    python benchmarks/speed.py step --seeds 3              # with the losses after equal steps
    python benchmarks/speed.py step --precision bfloat16   # passed to the zoo's `compile`

`step` is `fit` of the zoo over `fit` of the usual Keras loop over the same sub-networks, on arrays in memory.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from speed import steps
from speed.cases import CASES


def step(asked: argparse.Namespace) -> dict[str, Any]:
    found = {}
    roof = steps.roof()
    print("roof, GFLOP/s of a matrix product: " + ", ".join(f"{name} {value:.0f}" for name, value in roof.items()))
    for name in asked.names or CASES:
        row = steps.measured(name, asked.rounds, asked.seeds, asked.precision, asked.torch)
        found[f"step/{name}"] = {**row, "roof": roof}
        print(_line(name, row, roof), flush=True)
    return found


def _line(name: str, row: dict[str, Any], roof: dict[str, float]) -> str:
    zoo = row["milliseconds"]["zoo"]
    share = row["gigaflops"] / zoo * 1000 / roof["float32"]
    cells = [name, f"{zoo:.1f} ms"]
    for peer, (middle, low, high) in row["ratio"].items():
        title = f"{peer} ({row['form']})" if peer == "torch" else peer
        cells.append(f"/ {title} {row['milliseconds'][peer]:.1f} = {middle:.3f} ({low:.3f}-{high:.3f});")
    cells.append(f"{row['gigaflops']:.2f} GFLOP, {share:.0%} of the fp32 roof")
    if "loss" in row:
        loss = row["loss"]
        cells.append(f"loss after {loss['steps']}: {loss['zoo']:.4g} / {loss['keras']:.4g} ± {loss['spread']:.2g}")
    return " ".join(cells) + (" (loaded)" if row["loaded"] else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="a file of rows, to which these are added")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("step", help="training steps")
    one.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(CASES)} (default: all)")
    one.add_argument("--rounds", type=int, default=7, help="clean rounds (default: 7)")
    one.add_argument("--seeds", type=int, default=0, help="runs whose losses are compared (default: none)")
    one.add_argument("--torch", choices=("eager", "compiled"), help="PyTorch's loops too, the latter with its compiler")
    one.add_argument("--precision", help="of the zoo's compile (default: its own)")
    asked = parser.parse_args()
    if unknown := [name for name in getattr(asked, "names", []) if name not in CASES]:
        parser.error(f"a name must be one of {', '.join(CASES)}. Received: {', '.join(unknown)}")
    rows = {"step": step}[asked.command](asked)
    if asked.json:
        held = json.loads(asked.json.read_text()) if asked.json.exists() else {}
        asked.json.write_text(json.dumps({**held, **rows}, indent=1) + "\n")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
