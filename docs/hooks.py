"""A page for each architecture of the registry, from its source, its recipes and its cards as the site is built."""

import ast
import importlib.util
from pathlib import Path

from mkdocs.structure.files import File

from cnnzoo import cards, registry
from cnnzoo.training.recipes import recipe

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
    parts += [f"    model = cnnzoo.build({name!r})", "## Fields", "| field | default |\n| --- | --- |\n" + "\n".join(
        f"| `{field}` | `{default!r}` |" for field, default in about["config"].items()
    )]  # fmt: skip
    for checkpoint in about["recipes"]:
        parts += [f"## {checkpoint}", f"    cnnzoo train {checkpoint}", f"Expected: {recipe(checkpoint).expects}."]
        if checkpoint in about["checkpoints"]:
            card = registry.card(checkpoint)
            parts.append(f"Obtained, as `cnnzoo evaluate {checkpoint}` prints it: {cards.headline(card)}.")
            parts.append(f"Trained on {card['data']['name']} (licence: {card['data']['licence']}).")
        else:
            parts.append("No weights of it are shipped.")
    parts.append(f"## Reference\n\n::: cnnzoo.models.{name}.{cls}")
    return "\n\n".join(parts) + "\n"
