"""Measures peak memory and time of the commands on a large photograph.

    python benchmarks/large_photographs.py

Each run is a separate process on an image of noise: `cnnzoo denoise` of 8192x8192 gray pixels, `cnnzoo upscale` to the
same size in color, `cnnzoo inpaint` of the same size with scratches of 50 to 160 pixels over the whole image, and
`cnnzoo enhance` of the same size. Peak memory is that of the process, including Python and TensorFlow.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

from cnnzoo.imaging import masks
from cnnzoo.imaging.files import save_png
from cnnzoo.utils.terminal import print_table

SIDE = 8192
RUNS = {  # {command: (scale, channels, options)}
    "denoise": (1, 1, ["--model", "denoiser.gray_s25"]),
    "upscale": (2, 3, ["--scale", "2"]),
    "inpaint": (1, 3, ["--mask", "MASK"]),
    "enhance": (1, 3, []),
}
MASKED = 16  # the mask is drawn smaller by this factor


def measured(command: list[str]) -> tuple[float, float]:
    """Returns the time of a command in seconds, and its peak memory in GB."""
    begun = perf_counter()
    child = os.posix_spawn(sys.executable, [sys.executable, "-m", "cnnzoo", *command], os.environ)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return perf_counter() - begun, usage.ru_maxrss * 1024 / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=SIDE, help="pixels a side of the result")
    parser.add_argument("--only", choices=RUNS, help="one of the commands")
    asked = parser.parse_args()
    side = asked.side
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        source, target, mask = (Path(folder, name) for name in ("in.png", "out.png", "mask.png"))
        missing = masks.draw("scratches", (1, side // MASKED, side // MASKED), 0)[0].astype(np.uint8)
        save_png(mask, 255 * missing.repeat(MASKED, axis=0).repeat(MASKED, axis=1))
        for name, (scale, channels, options) in RUNS.items():
            if asked.only not in (None, name):
                continue
            options = [str(mask) if option == "MASK" else option for option in options]
            pixels = np.random.default_rng(0).integers(0, 256, (side // scale, side // scale, channels), dtype=np.uint8)
            save_png(source, pixels)
            seconds, memory = measured([name, str(source), str(target), *options])
            rows.append((name, f"{side}x{side}", f"{seconds:.0f}", f"{memory:.2f}"))
    print_table("cnnzoo", ("", "result", "seconds", "GB"), rows)


if __name__ == "__main__":
    main()
