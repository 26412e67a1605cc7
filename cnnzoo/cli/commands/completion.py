"""`cnnzoo completion`"""

import argparse
from collections.abc import Iterator
from pathlib import Path

HELP = "print a script for shell completion of commands and options"
EXAMPLES = (
    'eval "$(cnnzoo completion bash)"           # in ~/.bashrc',
    "cnnzoo completion zsh > ~/.zfunc/_cnnzoo   # where ~/.zfunc is in $fpath",
    "cnnzoo completion tcsh > ~/.cnnzoo.tcsh    # which ~/.tcshrc sources",
)
SHELLS = ("bash", "zsh", "tcsh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="bash, zsh or tcsh")


def run(args: argparse.Namespace) -> None:
    import shtab

    from cnnzoo.cli.main import parser

    top = parser()
    for action in _actions(top):
        if isinstance(action.default, Path) or action.type is Path:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(top, args.shell))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The actions of a parser and of the parsers of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
