"""Checkpoints: a card, the weights and a golden in one folder, each file under its SHA-256."""

from cnnzoo.checkpoints.card import CARD, GOLDEN, TASKS, WEIGHTS, Checkpoint, CheckpointError, open_checkpoint
from cnnzoo.checkpoints.golden import check_golden, sample_images
from cnnzoo.checkpoints.shipped import saved_models_dir
from cnnzoo.checkpoints.store import load, round_to_half, save, verify

__all__ = [
    "CARD",
    "GOLDEN",
    "TASKS",
    "WEIGHTS",
    "Checkpoint",
    "CheckpointError",
    "check_golden",
    "load",
    "open_checkpoint",
    "round_to_half",
    "sample_images",
    "save",
    "saved_models_dir",
    "verify",
]
