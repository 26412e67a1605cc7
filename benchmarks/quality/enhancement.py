"""Measures the correction of exposure by the enhancer and by two methods of histogram equalization.

    python benchmarks/quality/enhancement.py
    python benchmarks/quality/enhancement.py --data t91+bsds500 --split validation

The tables have the mean PSNR and SSIM in RGB for each exposure (see `cnnzoo.evaluation.restoration.EXPOSURES`), also of
the uncorrected image.
"""

import argparse

import cnnzoo
from cnnzoo.evaluation.restoration import EXPOSURES
from cnnzoo.utils.terminal import print_table, progress

METHODS = {"as it is": "unchanged_", "histogram equalization": "equalized_", "CLAHE": "clahe_", "enhancer": ""}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="enhancer.photos", help="a checkpoint (default: enhancer.photos)")
    parser.add_argument("--data", default="bsd100", help="(default: bsd100)")
    parser.add_argument("--split", default="test", help="(default: test)")
    asked = parser.parse_args()
    with progress(asked.name) as update:
        report = cnnzoo.evaluate(asked.name, asked.data, asked.split, progress=update)
    known = {score.name: score.value for score in report.scores}
    for quantity, form in (("psnr", "{:.2f}"), ("ssim", "{:.3f}")):
        rows = []
        for title, prefix in METHODS.items():
            names = [f"{prefix}{quantity}_{asked.data}_{exposure}" for exposure in EXPOSURES]
            rows.append((title, *(form.format(known[name]) if name in known else "" for name in names)))
        titles = (f"{exposure} ({'drawn' if ev is None else f'{ev:+g} EV'})" for exposure, ev in EXPOSURES.items())
        print_table(f"{quantity.upper()} on {asked.data}, {asked.split}", ("", *titles), rows)


if __name__ == "__main__":
    main()
