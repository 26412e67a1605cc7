"""Scores of models on test images, one file per task, beside classical baselines."""

from cnnzoo.evaluation.report import Report, bounds, evaluate

__all__ = ["Report", "bounds", "evaluate"]
