"""Metrics of arrays in NumPy and SciPy, independent of models."""
