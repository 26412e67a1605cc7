"""What every shipped checkpoint must be, new ones included."""

import pytest

import cnnzoo
from cnnzoo import checkpoints
from cnnzoo.recipes import list_recipes, recipe
from cnnzoo.registry import from_config

every_checkpoint = pytest.mark.parametrize("name", cnnzoo.list_checkpoints())


@every_checkpoint
def test_it_gives_the_numbers_of_its_golden(name):
    checkpoint = checkpoints.open_checkpoint(checkpoints.saved_models_dir() / name)
    assert checkpoints.check_golden(checkpoint, cnnzoo.build(name)) < 1e-4  # other processors round otherwise


@every_checkpoint
def test_its_card_says_what_its_files_and_its_recipe_are(name):
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


def test_each_has_a_recipe_and_all_are_light_enough_to_ship():
    assert set(cnnzoo.list_checkpoints()) <= set(list_recipes())
    assert sum(cnnzoo.card(name)["bytes"] for name in cnnzoo.list_checkpoints()) < 60e6
