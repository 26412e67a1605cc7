"""The architectures: one file is one architecture, and its name is the name of the file."""
