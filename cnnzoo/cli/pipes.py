"""`-` as a file: stdin and stdout, by temporary files."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory

PIPE = Path("-")
SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "WEBP": ".webp", "GIF": ".gif", "TIFF": ".tif"}  # others: .png

Run = Callable[[argparse.Namespace], None]


def with_pipes(run: Run) -> Run:
    """A command on `args.input` and `args.output` that also takes `-` for each; stdout gets the format of the input."""

    @wraps(run)
    def piped(args: argparse.Namespace) -> None:
        with _files(args):
            run(args)

    return piped


@contextmanager
def _files(args: argparse.Namespace) -> Iterator[None]:
    """Temporary files in place of `-`. Errors name stdin and stdout.

    Raises:
        ValueError: A terminal is in place of a pipe, or there is too much on stdin.
    """
    from cnnzoo.imaging import decoding

    from_pipe, to_pipe = args.input == PIPE, args.output == PIPE
    if not (from_pipe or to_pipe):
        yield
        return
    if from_pipe and sys.stdin.isatty():
        raise ValueError("in must be a file, or a pipe as `-`. Received: a terminal as `-`")
    if to_pipe and sys.stdout.isatty():
        raise ValueError("out must be a file, or a pipe as `-`. Received: a terminal as `-`")
    with TemporaryDirectory(prefix="cnnzoo-") as aside:
        if from_pipe:
            args.input = Path(aside) / "stdin"
            raw = sys.stdin.buffer.read(decoding.MOST + 1)
            if len(raw) > decoding.MOST:
                raise ValueError(f"stdin must have at most {decoding.MOST} bytes. Received: more")
            args.input.write_bytes(raw)
        if to_pipe:
            args.output = Path(aside) / f"stdout{_suffix(args.input)}"
        args.quiet = to_pipe
        try:
            yield
        except (ValueError, OSError) as error:
            text = str(error)
            if aside not in text:
                raise
            raise ValueError(text.replace(f"{aside}/", "")) from None
        if to_pipe:
            sys.stdout.flush()
            sys.stdout.buffer.write(args.output.read_bytes())
            sys.stdout.buffer.flush()


def _suffix(path: Path) -> str:
    """The suffix for the format of a file; .png if it is none that is written, or no image."""
    from cnnzoo.imaging.decoding import contents, open_header

    try:
        return SUFFIXES.get(open_header(*contents(path)).format or "", ".png")
    except (ValueError, OSError):  # the command refuses the file, with the reason
        return ".png"
