"""The command `cnnzoo`: every verb of the zoo from a terminal.

main          the parser, and what becomes of errors
arguments     what several commands take
terminal      tables, JSON and progress bars
commands/     one file a command: its arguments, and what it does
"""

from cnnzoo.cli.main import main

__all__ = ["main"]
