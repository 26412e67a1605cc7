"""Recipes as JSON files: results of `cnnzoo.tune`, as input of `cnnzoo.train`."""

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from cnnzoo.recipes import Recipe
from cnnzoo.utils.atomic_files import write_json
from cnnzoo.utils.json_content import content

NAME = "recipe.json"
# Fields that a search does not set: code, other checkpoints, and text on the literature.
LEFT_OUT = ("checkpoint", "optimizers", "start", "published", "differs", "summary", "cost")
KEPT = {f.name: f.default for f in fields(Recipe) if f.name not in LEFT_OUT}
SHOWN = ("batch_size", "seed")  # written even if they have their defaults


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Writes `recipe.json` into a folder, which is created if necessary.

    Args:
        folder: Output folder.
        recipe: Recipe with the name of an architecture as `checkpoint`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values = asdict(recipe)
    kept = {key: values[key] for key, default in KEPT.items() if key in SHOWN or values[key] != default}
    write_json(folder / NAME, {"architecture": recipe.checkpoint, **kept})


def find_recipe(name: str | Path) -> Recipe | None:
    """Reads the recipe at a path, as `read_recipe`; None if the name is the name of a checkpoint."""
    path = Path(name)
    if path.suffix != ".json" and len(path.parts) == 1 and not (path / NAME).exists():
        return None
    return read_recipe(path)


def read_recipe(path: Path) -> Recipe:
    """Reads a recipe from a file, or from the `recipe.json` in a folder.

    Raises:
        ValueError: The file does not exist, or is not a recipe.
    """
    file = path if path.suffix == ".json" else path / NAME
    if not file.exists():
        raise ValueError(f"{path} must be a recipe of cnnzoo tune. Received: no {file}")
    try:
        return _recipe(content(file, dict))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{file} holds no recipe: {error}") from None


def _recipe(given: dict[str, Any]) -> Recipe:
    """The recipe of a JSON object.

    Raises:
        TypeError: It is not a recipe.
    """
    if "architecture" not in given:
        raise TypeError(f"it must be an object with architecture, {', '.join(KEPT)}. Received: no architecture")
    rest = {key: value for key, value in given.items() if key != "architecture"}
    if unknown := sorted(set(rest) - set(KEPT)):
        raise TypeError(f"its fields must be architecture, {', '.join(KEPT)}. Received: {', '.join(unknown)}")
    return Recipe(checkpoint=given["architecture"], **rest)
