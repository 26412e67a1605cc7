"""The command `cnnzoo`.

main          the parser, and exit codes
arguments     arguments of several commands
checks        checks before a network library is imported
models        trained models by name
photographs   photographs in and out, one file or a folder
pictures      images in, contact sheets out
latents       latent vectors of a command
scores        tables of scores
diagnostics   the checks of `cnnzoo doctor`
publish       the maintainers' command for checkpoints
commands/     one file per command
"""

from cnnzoo.cli.main import main

__all__ = ["main"]
