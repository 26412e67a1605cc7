"""Scores of models on test images, one file per task, beside classical baselines."""

from cnnzoo.evaluation.evaluate import Report, evaluate

__all__ = ["Report", "evaluate"]
