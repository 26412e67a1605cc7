"""Metrics in NumPy and SciPy: they judge arrays and know nothing of models."""
