"""Metrics in NumPy and SciPy: they judge arrays, and but for `perceptual` know nothing of models."""
