"""Scores of models on test images, one file per task, and classical baselines."""

from cnnzoo.evaluation.likelihood import bounds
from cnnzoo.evaluation.report import Report, check, evaluate

__all__ = ["Report", "bounds", "check", "evaluate"]
