"""The parser of `cnnzoo`, and its exit codes.

`list`, `info` and `--help` import no network library. Invalid input gives exit code 2 and one line on stderr, Ctrl-C
gives 130.
"""

import argparse
import os
import sys
import textwrap
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import cnnzoo
from cnnzoo.cli import arguments
from cnnzoo.registry import suggestion
from cnnzoo.utils.terminal import print_anything

# In the order of the help; each is a module of `cnnzoo.cli.commands`.
COMMANDS = (
    "list", "info", "doctor", "demo", "app", "train", "runs", "tune", "evaluate", "generate", "reconstruct", "classify",
    "explain", "upscale", "denoise", "inpaint", "stylize", "enhance", "interpolate", "traverse", "invert", "nearest",
    "export", "push", "verify", "serve", "data", "completion",
)  # fmt: skip
# Names of packages, by the module that is imported, where they differ.
PACKAGES = {"tensorflow": "TensorFlow", "keras": "TensorFlow and Keras", "sklearn": "scikit-learn"}
PACKAGES |= {"skimage": "scikit-image", "scipy": "SciPy"}


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {arguments.plain(message)}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    top = Parser(
        prog="cnnzoo",
        description="Image networks for generation, restoration and editing, with trained\nweights and scores.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Start with: cnnzoo demo. Each command has examples in its own help:\ncnnzoo train --help.",
    )
    top.add_argument("--version", action="version", version=f"cnnzoo {cnnzoo.__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        command = import_module(f"cnnzoo.cli.commands.{name}")
        added = commands.add_parser(
            name,
            help=command.HELP,
            description=f"{command.HELP[0].upper()}{command.HELP[1:]}.",
            epilog="examples:\n" + "\n".join(f"  {example}" for example in command.EXAMPLES),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(added)
        added.set_defaults(run=command.run)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit code."""
    print_anything()
    args = _parse(sys.argv[1:] if argv is None else argv)
    format_before, warnings.formatwarning = warnings.formatwarning, _warning_line
    try:
        code = args.run(args)
        sys.stdout.flush()  # raises BrokenPipeError here if the reader has closed
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError, ModuleNotFoundError, MemoryError) as error:
        print(f"cnnzoo {args.command}: {_one_line(error)}", file=sys.stderr)
        return 2
    finally:
        warnings.formatwarning = format_before
    return code or 0


def _warning_line(message: Warning | str, *_: object, **__: object) -> str:
    """A warning as one line, without its source line."""
    return f"cnnzoo: {message}\n"


def _parse(words: Sequence[str]) -> argparse.Namespace:
    top = parser()
    if not words:
        print(head(top))
        top.exit(2)
    command = next((word for word in words if not word.startswith("-")), None)
    if command is not None and command not in COMMANDS:
        top.error(f"Unknown command {command!r}. {suggestion(command, COMMANDS, 'cnnzoo --help names all')}")
    return top.parse_args(words)


def head(top: argparse.ArgumentParser) -> str:
    """The help with the names of commands in one paragraph."""
    named = textwrap.fill(f"commands: {', '.join(COMMANDS)}", 79, subsequent_indent="  ")
    return f"{top.format_usage()}\n{top.description}\n\n{named}\n\n{top.epilog}\nAll of it: cnnzoo --help."


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, ModuleNotFoundError) and error.name:  # of a package that an installation for photographs lacks
        package = error.name.partition(".")[0]
        return f"needs {PACKAGES.get(package, package)}; install it by: pip install -e ., where cnnzoo was cloned"
    what = "too little memory" if isinstance(error, MemoryError) else type(error).__name__
    return " ".join(str(error).split()) or what
