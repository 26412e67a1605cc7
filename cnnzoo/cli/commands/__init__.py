"""One file per command: `HELP`, `EXAMPLES`, `add_arguments(parser)` and `run(args)`."""
