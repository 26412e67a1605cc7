"""Arguments of several commands, and argument types."""

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn


class LineParser(argparse.ArgumentParser):
    """A parser of the lines of a file, whose errors are ValueErrors."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(plain(message))


def plain(message: str) -> str:
    """An error of argparse in the form of the other errors."""
    return re.sub(r"^argument (\S+): (`\w+` )?must ", r"\1 must ", message)


def json_flag(parser: argparse._ActionsContainer) -> None:
    """--json"""
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")


def model(parser: argparse.ArgumentParser) -> None:
    """The name of a trained model."""
    parser.add_argument(
        "name", help="a checkpoint, such as lenet.mnist or hf://USER/NAME, or the folder of a checkpoint or run"
    )


def images(parser: argparse.ArgumentParser, count: str | None = "+", help: str = "image files") -> None:
    """Image files, and --invert."""
    parser.add_argument(
        "image", nargs=count, type=Path, help=f"{help}; cropped, resized and converted to the input of the model"
    )
    parser.add_argument("--invert", action="store_true", help="invert the images first, such as dark digits on light")


def photographs(parser: argparse.ArgumentParser) -> None:
    """An input and an output, each a file or a folder."""
    parser.add_argument("input", metavar="in", type=Path, help="an image file, or a folder of them; - is stdin")
    parser.add_argument(
        "output",
        metavar="out",
        type=Path,
        help="a .png, .jpg, .webp, .gif or .tif file; for a folder, a folder; - is stdout",
    )
    told = parser.add_mutually_exclusive_group()
    told.add_argument("--json", action="store_true", help="print a line of JSON for each written file")
    told.add_argument("--preview", action="store_true", help="show the results in the terminal")


def other_model(parser: argparse.ArgumentParser, default: str) -> None:
    """--model, in place of the default."""
    parser.add_argument("--model", metavar="NAME", help=f"a checkpoint, hf://USER/NAME, or a run (default: {default})")


def ensemble(parser: argparse.ArgumentParser) -> None:
    """--ensemble"""
    parser.add_argument("--ensemble", action="store_true", help="average over 8 flips and rotations; 8 times slower")


def seed(parser: argparse.ArgumentParser) -> None:
    """--seed"""
    parser.add_argument("--seed", type=integer(0), default=0, help="the random seed (default: 0)")


def latent_seed(parser: argparse.ArgumentParser) -> None:
    """--seed of random latent vectors, None if it is left out: see `cnnzoo.cli.latents`."""
    parser.add_argument("--seed", type=integer(0), help="the random seed, where latent vectors are drawn (default: 0)")


def label(parser: argparse.ArgumentParser) -> None:
    """--label"""
    parser.add_argument("--label", type=integer(0), help="the class, for a conditional model (default: all in turn)")


def sheet(parser: argparse.ArgumentParser) -> None:
    """--out and --pixels of a contact sheet."""
    picture(parser, "--out", default="sheet.png", help="the contact sheet")
    pixels(parser)


def pixels(parser: argparse.ArgumentParser) -> None:
    """--pixels"""
    parser.add_argument(
        "--pixels",
        action="store_true",
        help="keep the resolution (default: enlarge to about 900 pixels)",
    )


def picture(parser: argparse.ArgumentParser, *flags: str, default: str, help: str) -> None:
    """An output image file, checked during parsing."""
    parser.add_argument(
        *flags, type=writable, default=default, help=f"{help}, a .png, .jpg or .webp file (default: ./{default})"
    )


def address(parser: argparse.ArgumentParser, host: str, port: int) -> None:
    """--host and --port of a server, with their defaults."""
    parser.add_argument("--host", default=host, help="the address to listen on (default: %(default)s, this machine)")
    parser.add_argument(
        "--port", type=integer(0, 65535), default=port, help="0 for any free port (default: %(default)s)"
    )


def config(parser: argparse.ArgumentParser, help: str) -> None:
    """--config KEY=VALUE, repeatable."""
    parser.add_argument("--config", type=_setting, action="append", metavar="KEY=VALUE", help=help)


def writable(text: str) -> Path:
    """Argument type: the path of an image file to write."""
    from cnnzoo.imaging.files import format_for

    try:
        format_for(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return Path(text)


def integer(least: int, most: int | None = None) -> Callable[[str], int]:
    """Argument type: an integer from `least` to `most`, or without an upper limit."""
    allowed = f"an integer >= {least}" if most is None else f"an integer between {least} and {most}"

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise _not_allowed(text, allowed) from None
        if value < least or (most is not None and value > most):
            raise _not_allowed(text, allowed)
        return value

    return read


def number(least: float, most: float) -> Callable[[str], float]:
    """Argument type: a number from `least` to `most`."""
    return _number(lambda value: least <= value <= most, f"between {least:g} and {most:g}")


def positive(text: str) -> float:
    """Argument type: a number above 0."""
    return _number(lambda value: 0 < value < float("inf"), "a number > 0")(text)


def _number(is_allowed: Callable[[float], bool], allowed: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise _not_allowed(text, allowed) from None
        if not is_allowed(value):  # NaN is not allowed either
            raise _not_allowed(text, allowed)
        return value

    return read


def memory(text: str) -> int:
    """Argument type: a size such as 2GB, in bytes."""
    from cnnzoo.data.memory import parsed

    try:
        return parsed(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def one_of(*names: str) -> Callable[[str], str]:
    """Argument type: one of a few words."""

    def read(text: str) -> str:
        if text not in names:
            from cnnzoo.registry import suggestion

            rule = f"must be one of {', '.join(names)}. Received: {text!r}"
            near = suggestion(text, names)
            raise argparse.ArgumentTypeError(f"{rule}. {near}" if near.endswith("?") else rule)
        return text

    return read


def _not_allowed(text: str, allowed: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"must be {allowed}. Received: {text}")


def _setting(text: str) -> tuple[str, Any]:
    """KEY=VALUE with a JSON value; a plain word needs no quotes."""
    key, equals, value = text.partition("=")
    if not (key.isidentifier() and equals):
        raise argparse.ArgumentTypeError(f"must be KEY=VALUE. Received: {text!r}")
    try:
        return key, json.loads(value)
    except ValueError:
        if value.isidentifier() and value not in ("True", "False", "None"):
            return key, value
        raise argparse.ArgumentTypeError(
            f"must have a JSON value: 0.5, true, null, [28, 28, 1], max. Received: {text!r}"
        ) from None
