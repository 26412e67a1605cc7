"""`cnnzoo data`"""

import argparse
import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cnnzoo.cli import arguments, checks
from cnnzoo.utils.terminal import print_json, print_table, progress

HELP = "fetch public image sets, or pack, check and show a folder of pictures"
ROWS, COLUMNS = 20, 12  # of a contact sheet
EXAMPLES = (
    "cnnzoo data get                            # sizes, licenses, and sets on this machine",
    "cnnzoo data get t91 set5",
    "cnnzoo data examples                       # photo.jpg, three.png and others",
    "cnnzoo data check photos/                  # unreadable, duplicate and off-size pictures",
    "cnnzoo data build photos/ packed --size 64x64",
    "cnnzoo train dcgan --data packed",
    "cnnzoo data show photos/ sheet.png         # some pictures of each class, and their numbers",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("get", help="fetch public image sets, or list them")
    add.add_argument("set", nargs="*", metavar="NAME", help="a set, such as t91 (default: list all)")
    add.add_argument("--json", action="store_true", help="print JSON on stdout")
    add.set_defaults(action=_get)
    add = actions.add_parser("examples", help="write the example images of the README; no download")
    add.add_argument("folder", nargs="?", default=".", help="the output folder (default: here)")
    add.set_defaults(action=_examples)
    add = actions.add_parser("build", help="pack a folder of pictures into shards; resumes a stopped build")
    add.add_argument("folder", type=Path, help="<folder>/<split>/<label>/<image>, or images")
    add.add_argument("out", type=Path, help="a new folder, which --data takes")
    add.add_argument(
        "--size",
        type=_sides,
        metavar="HxW",
        help="crop and resize the pictures to this height and width (default: keep the files as they are)",
    )
    arguments.json_flag(add)
    add.set_defaults(action=_build)
    add = actions.add_parser("check", help="name unreadable, duplicate and off-size pictures; exit code 1 if any")
    add.add_argument("folder", type=Path, help="as for build, or one made by it")
    arguments.json_flag(add)
    add.set_defaults(action=_check)
    add = actions.add_parser("show", help="draw a contact sheet with class names, and print the numbers of images")
    add.add_argument("data", metavar="DATA", help="a data set or a folder, as for cnnzoo train")
    add.add_argument(
        "out", metavar="OUT", type=arguments.writable, help="the contact sheet, a .png, .jpg or .webp file"
    )
    add.add_argument(
        "--split",
        choices=("train", "fit", "validation", "test"),
        default="train",
        help="train, fit, validation or test (default: train)",
    )
    arguments.json_flag(add)
    add.set_defaults(action=_show)


def run(args: argparse.Namespace) -> int:
    return args.action(args) or 0


def _sides(text: str) -> tuple[int, int]:
    """A height and a width, such as 64x96."""
    if not (found := re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)):
        raise argparse.ArgumentTypeError(f"must be HEIGHTxWIDTH, such as 64x96. Received: {text!r}")
    return int(found[1]), int(found[2])


def _build(args: argparse.Namespace) -> None:
    from cnnzoo.data.packing import build

    checks.exists(args.folder)
    with progress("pictures") as update:
        manifest = build(args.folder, args.out, args.size, update)
    counts = {split: sum(shard["records"] for shard in shards) for split, shards in manifest["splits"].items()}
    shards = [shard for shards in manifest["splits"].values() for shard in shards]
    size = sum(shard["bytes"] for shard in shards)
    if args.json:
        about = {"folder": str(args.out), "pictures": counts, "classes": manifest["classes"]}
        return print_json({**about, "shards": len(shards), "bytes": size})
    packed = ", ".join(f"{count:,} of {split}" for split, count in counts.items())
    noun = "shard" if len(shards) == 1 else "shards"
    print(f"{args.out}: {packed}, in {len(shards)} {noun}, {size / 1e6:.1f} MB")


def _check(args: argparse.Namespace) -> int:
    from cnnzoo.data.checking import check

    checks.exists(args.folder)
    with progress("pictures") as update:
        found = check(args.folder, update)
    if args.json:
        print_json(found.to_json())
        return int(not found.is_clean)
    for message in found.unreadable.values():
        print(f"unreadable: {message}")
    for names in found.duplicates:
        print(f"equal pixels: {', '.join(names)}")
    for name, (width, height) in found.off_size.items():
        print(f"off-size: {name}, {width}x{height}")
    size = f"most are {found.size[0]}x{found.size[1]}" if found.size else "of several sizes"
    counts = f"{len(found.unreadable)} unreadable, {len(found.duplicates)} groups of duplicates"
    print(f"{found.pictures:,} pictures, {size}: {counts}, {len(found.off_size)} off-size")
    return int(not found.is_clean)


def _show(args: argparse.Namespace) -> None:
    import numpy as np

    from cnnzoo.cli.pictures import save
    from cnnzoo.data.loading import load, training_images
    from cnnzoo.data.photograph_rows import is_photographs
    from cnnzoo.imaging.grid import SIDE, Row, picture

    checks.data(args.data)
    if is_photographs(args.data):
        found: Any = training_images(args.data, args.split, (None, None, 3), SIDE)
    else:
        found = load(args.data, args.split, (SIDE, SIDE, 3), memory=0)
    n = len(found.images)
    if not n:
        raise ValueError(f"The data must have images in the split {args.split!r}. Received: none of {args.data}")
    labels = np.zeros(n, np.int64) if found.labels is None else found.labels
    counts = Counter(labels.tolist())
    names = dict(enumerate(found.classes)) if found.labels is not None else {0: "images"}
    rows = []
    for label in sorted(names)[:ROWS]:
        shown = np.flatnonzero(labels == label)[:COLUMNS]
        if len(shown):
            rows.append(Row(f"{names[label]} ({counts[label]:,})", found.images[shown]))
    save(args.out, np.asarray(picture(rows)))
    if args.json:
        about = {"data": args.data, "split": args.split, "images": n}
        return print_json(
            {**about, "classes": {names[label]: counts[label] for label in names}, "sheet": str(args.out)}
        )
    if found.labels is not None:
        print_table("", ("class", "images"), [(names[label], f"{counts[label]:,}") for label in names])
    print(f"{n:,} images of {args.split}")
    if len(names) > ROWS:
        print(f"the sheet shows the first {ROWS} of {len(names)} classes")
    print(args.out)


def _examples(args: argparse.Namespace) -> None:
    from cnnzoo.data.examples import write_examples

    written = write_examples(args.folder)
    tops = dict.fromkeys(path.relative_to(args.folder).parts[0] for path in written)
    print(f"{len(written)} pictures: {', '.join(tops)}")


def _get(args: argparse.Namespace) -> None:
    from cnnzoo.data.catalog import PUBLIC_SETS
    from cnnzoo.data.download import get

    if unknown := [name for name in args.set if name not in PUBLIC_SETS]:
        raise ValueError(f"The set must be one of {', '.join(PUBLIC_SETS)}. Received: {', '.join(unknown)}")
    folders = {}
    for name in dict.fromkeys(args.set):
        with progress(f"{name}, kB") as update:
            folders[name] = str(get(name, partial(_in_kilobytes, update)))
        if not args.json:
            print(f"{name}: {PUBLIC_SETS[name].files} pictures in {folders[name]}")
    if args.set:
        return print_json(folders) if args.json else None
    found = [_description(name) for name in PUBLIC_SETS]
    if args.json:
        return print_json(found)
    header = ("set", "pictures", "MB", "to fetch", "here", "license")
    rows = [
        (
            each["name"],
            str(each["pictures"]),
            f"{each['bytes'] / 1e6:.1f}",
            f"{each['download'] / 1e6:.1f}",
            "yes" if each["here"] else "no",
            each["licence"],
        )
        for each in found
    ]
    print_table("", header, rows)
    print("cnnzoo data get NAME fetches one; an archive that holds several is fetched once.")


def _in_kilobytes(update: Callable[[int, int], None], done: int, total: int) -> None:
    update(done // 1000, total // 1000)


def _description(name: str) -> dict[str, Any]:
    from cnnzoo.data.catalog import CATALOG, PUBLIC_SETS
    from cnnzoo.utils.atomic_files import data_dir

    known = PUBLIC_SETS[name]
    return {
        "name": name,
        "pictures": known.files,
        "bytes": known.bytes,
        "download": known.download,
        "licence": CATALOG[name].license,
        "about": CATALOG[name].homepage,
        "folder": str(data_dir() / known.folder),
        "here": known.here() >= known.files,
    }
