"""Scores of models on test images, one file per task, and classical baselines."""

from cnnzoo.evaluation.likelihood import bounds
from cnnzoo.evaluation.report import Report, evaluate

__all__ = ["Report", "bounds", "evaluate"]
