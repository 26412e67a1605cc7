"""Checkpoints: a card, weights and a golden in one folder, with the SHA-256 of each file."""

from cnnzoo.checkpoints.card import CARD, GOLDEN, TASKS, WEIGHTS, Checkpoint, CheckpointError, open_checkpoint
from cnnzoo.checkpoints.golden import TOLERANCE, check_golden, sample_images
from cnnzoo.checkpoints.shipped import saved_models_dir
from cnnzoo.checkpoints.store import as_trained, attach, load, round_to_half, save, verify

__all__ = [
    "CARD",
    "GOLDEN",
    "TASKS",
    "TOLERANCE",
    "WEIGHTS",
    "Checkpoint",
    "CheckpointError",
    "as_trained",
    "attach",
    "check_golden",
    "load",
    "open_checkpoint",
    "round_to_half",
    "sample_images",
    "save",
    "saved_models_dir",
    "verify",
]
