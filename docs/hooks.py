"""A page for each architecture of the registry, from its source, its recipes and its cards as the site is built."""

import ast
import importlib.util
from pathlib import Path

from mkdocs.structure.files import File

from cnnzoo import cards, registry
from cnnzoo.training.recipes import list_recipes, recipe

PICTURES = Path(__file__).parent / "pictures"


def on_config(config):
    pages = [{name: f"architectures/{name}.md"} for name in registry.list_models()]
    for entry in config.nav:
        if isinstance(entry, dict) and "Architectures" in entry:
            entry["Architectures"] = pages
    return config


def on_files(files, config):
    for name in registry.list_models():
        files.append(File.generated(config, f"architectures/{name}.md", content=page(name)))
    return files


def page(name: str) -> str:
    """The page of an architecture, in Markdown."""
    about = cards.architecture_card(name)
    module = ast.parse(Path(importlib.util.find_spec(f"cnnzoo.models.{name}").origin).read_text(encoding="utf-8"))
    decorator = f"register({name!r})"
    cls = next(
        node.name
        for node in module.body
        if isinstance(node, ast.ClassDef) and decorator in map(ast.unparse, node.decorator_list)
    )
    parts = [f"# {name}", ast.get_docstring(module)]
    if (PICTURES / f"{name}.webp").exists():
        parts.append(f"![What {name} does](../pictures/{name}.webp)")
    parts += [f"    model = cnnzoo.build({name!r})", scores(name), "## Fields", fields(about["config"])]
    parts.append(f"## Reference\n\n::: cnnzoo.models.{name}.{cls}")
    return "\n\n".join(parts) + "\n"


def scores(name: str) -> str:
    """For each recipe what came of it, beside what the literature reports."""
    parts = ["## Obtained and published"]
    for checkpoint in list_recipes(name):
        mine = recipe(checkpoint)
        parts += [f"### {checkpoint}", f"    cnnzoo train {checkpoint}", f"Expected: {mine.expects}."]
        obtained = "no weights of it are shipped"
        if checkpoint in registry.list_checkpoints(name):
            card = registry.card(checkpoint)
            parts.append(f"Trained on {card['data']['name']} (licence: {card['data']['licence']}).")
            obtained = f"{cards.headline(card)}; `cnnzoo evaluate {checkpoint}` prints it, with its protocol"
        rows = [("obtained", obtained), ("published", mine.published), ("what sets them apart", mine.differs)]
        parts.append("| | |\n| --- | --- |\n" + "\n".join(f"| {what} | {said} |" for what, said in rows if said))
    if len(parts) == 1:
        parts.append("There is no recipe: nothing of it is trained beforehand.")
    return "\n\n".join(parts)


def fields(config: dict) -> str:
    """The fields of an architecture with their defaults, as a table."""
    rows = "\n".join(f"| `{field}` | `{default!r}` |" for field, default in config.items())
    return f"| field | default |\n| --- | --- |\n{rows}"
