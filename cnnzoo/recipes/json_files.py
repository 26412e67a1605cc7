"""Recipes as JSON files: what a search has found, for `cnnzoo.train` to take."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from cnnzoo.recipes import Recipe
from cnnzoo.utils.atomic_files import write_json

NAME = "recipe.json"
# The rest is code, comes from another checkpoint, or is of the literature, which has nothing on what a search finds.
LEFT_OUT = ("checkpoint", "optimizers", "start", "published", "differs", "summary", "cost")
KEPT = {f.name: f.default for f in fields(Recipe) if f.name not in LEFT_OUT}
SHOWN = ("batch_size", "seed")  # even where they are as by default


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Writes `recipe.json` into a folder, which is made. `recipe.checkpoint` is to be an architecture."""
    folder.mkdir(parents=True, exist_ok=True)
    content = asdict(recipe)
    kept = {key: content[key] for key, default in KEPT.items() if key in SHOWN or content[key] != default}
    write_json(folder / NAME, {"architecture": recipe.checkpoint, **kept})


def find_recipe(name: str | Path) -> Recipe | None:
    """The recipe that a path names, as `read_recipe`; None where the name is no path."""
    path = Path(name)
    if path.suffix != ".json" and len(path.parts) == 1 and not (path / NAME).exists():
        return None
    return read_recipe(path)


def read_recipe(path: Path) -> Recipe:
    """The recipe in a file, or in the `recipe.json` of a folder.

    Raises:
        ValueError: There is no such file, or it holds no recipe.
    """
    file = path if path.suffix == ".json" else path / NAME
    try:
        return _recipe(json.loads(file.read_text()))
    except FileNotFoundError:
        raise ValueError(f"got {str(path)!r}; there is no {file}; allowed: a recipe of cnnzoo tune") from None
    except (json.JSONDecodeError, TypeError) as error:
        raise ValueError(f"{file} holds no recipe: {error}") from None


def _recipe(content: dict[str, Any]) -> Recipe:
    if not isinstance(content, dict) or "architecture" not in content:
        raise TypeError(f"it has no architecture; allowed: an object with architecture, {', '.join(KEPT)}")
    rest = {key: value for key, value in content.items() if key != "architecture"}
    if unknown := sorted(set(rest) - set(KEPT)):
        raise TypeError(f"got {', '.join(unknown)}; allowed: architecture, {', '.join(KEPT)}")
    return Recipe(checkpoint=content["architecture"], **rest)
