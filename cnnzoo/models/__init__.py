"""The architectures, one file each; modules with a leading underscore are shared."""
