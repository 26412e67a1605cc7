"""`cnnzoo data`"""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

from cnnzoo.utils.terminal import print_json, print_table, progress

HELP = "fetch public image sets for recipes and scores, or write example images"
EXAMPLES = (
    "cnnzoo data get                            # sizes, licenses, and sets on this machine",
    "cnnzoo data get t91 set5",
    "cnnzoo data examples                       # photo.jpg, three.png and others",
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


def run(args: argparse.Namespace) -> None:
    args.action(args)


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
    header = ("set", "pictures", "MB", "to fetch", "here", "licence")
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
