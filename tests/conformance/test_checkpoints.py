"""Conformance tests of every shipped checkpoint, including new ones."""

import pytest

import cnnzoo
from cnnzoo import checkpoints
from cnnzoo.recipes import list_recipes, recipe
from cnnzoo.registry import from_config

every_checkpoint = pytest.mark.parametrize("name", cnnzoo.list_checkpoints())


@every_checkpoint
def test_checkpoint_matches_golden(name):
    checkpoint = checkpoints.open_checkpoint(checkpoints.saved_models_dir() / name)
    assert checkpoints.check_golden(checkpoint, cnnzoo.build(name)) < 1e-4  # rounding differs between processors


@every_checkpoint
def test_card_matches_files_and_recipe(name):
    checkpoint = checkpoints.open_checkpoint(checkpoints.saved_models_dir() / name)
    checkpoints.verify(checkpoint)
    card, plan = checkpoint.card, recipe(name)
    assert card["name"] == name and card["scores"]
    assert card["bytes"] == sum((checkpoint.path / file).stat().st_size for file in card["files"])
    assert card["data"]["name"] == plan.data and card["data"]["split"] in ("train", "fit")
    for field in ("epochs", "batch_size", "seed"):
        assert card["recipe"][field] == getattr(plan, field)
    shipped = from_config(card["architecture"], dict(plan.config)).reparameterized().get_config()
    assert card["config"] == {key: shipped[key] for key in card["config"]}


def test_checkpoints_have_recipes_and_total_less_than_60_mb():
    assert set(cnnzoo.list_checkpoints()) <= set(list_recipes())
    assert sum(cnnzoo.card(name)["bytes"] for name in cnnzoo.list_checkpoints()) < 60e6
