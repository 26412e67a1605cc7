"""The architectures: one file is one architecture and its name; a leading underscore marks what several share."""
