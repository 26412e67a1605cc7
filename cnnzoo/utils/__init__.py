"""Small helpers without a dependency on the rest of the package: atomic files and optional imports."""
