"""One file a command: `HELP`, `EXAMPLES`, `add_arguments(parser)` and `run(args)`."""
