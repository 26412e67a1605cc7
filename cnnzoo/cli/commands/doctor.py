"""`cnnzoo doctor`"""

import argparse
import textwrap
from collections.abc import Iterator
from typing import Any

from cnnzoo.cli import arguments
from cnnzoo.utils.terminal import print_json

HELP = "check the installation and suggest fixes; exit code 0 if the zoo can be used"
EXAMPLES = (
    "cnnzoo doctor",
    "cnnzoo doctor --json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.json_flag(parser)


def run(args: argparse.Namespace) -> int:
    """Prints the checks and fixes; returns 0 if the zoo can be used, else 1."""
    from cnnzoo.cli.diagnostics import examine

    found = examine()
    if args.json:
        print_json(found)
    else:
        for label, line in _lines(found):
            print(textwrap.fill(f"{label:13}{line}", 119, subsequent_indent=" " * 13, break_on_hyphens=False))
    return 0 if found["usable"] else 1


def _lines(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Labels and lines as plain text, printed without any optional package."""
    yield "cnnzoo", f"{found['cnnzoo']}, Python {found['python']}, {found['platform']}"
    backend = found["backend"]
    if "error" in backend:
        yield "backend", backend["error"]
    else:
        yield "backend", f"{backend['name']} {backend['version']}, precision {backend['precision']}"
        yield "devices", ", ".join(backend["devices"])
        counts = (f"{key}: {count or 'as many'}" for key, count in backend["threads"].items())
        yield "threads", ", ".join(counts)
    for i, package in enumerate(found["packages"]):
        yield "" if i else "packages", _in_words(package)
    for i, (name, extra) in enumerate(found["extras"].items()):
        wrong = [_in_words(package) for package in extra["packages"] if not package["ok"]]
        yield "" if i else "extras", f"{name}: " + (f"{'; '.join(wrong)}; {extra['install']}" if wrong else "complete")
    for i, (variable, place) in enumerate(found["data"].items()):
        yield "" if i else "data", f"{variable}: {place['folder']} has {', '.join(place['here']) or 'nothing'}"
    checkpoints = found["checkpoints"]
    every = checkpoints["verified"] + len(checkpoints["broken"])
    yield "checkpoints", f"{checkpoints['verified']} of {every} have the sha256 of their card"
    for i, advice in enumerate(found["advice"]):
        yield "" if i else "to do", f"- {advice}"
    yield "", "The zoo can be used." if found["usable"] else "The zoo cannot be used as it is."


def _in_words(package: dict[str, Any]) -> str:
    have = package["installed"] or "is missing"
    return f"{package['name']} {have}" + ("" if package["ok"] else f" (must be {package['allowed']})")
