"""Pages written for each build of the site, and not stored: one for each architecture, and copies of the notebooks.

An extension of Sphinx.
"""

import re
import shutil
from pathlib import Path

from cnnzoo import hub, registry
from cnnzoo.checkpoints import table
from cnnzoo.data.catalog import CATALOG
from cnnzoo.recipes import list_recipes, recipe
from cnnzoo.utils import source

HERE = Path(__file__).parent
PICTURES = HERE / "pictures"


def setup(app: object) -> None:
    app.connect("builder-inited", write)


def write(app: object) -> None:
    """Writes `architectures/` and `notebooks/` beside this file."""
    for folder in ("architectures", "notebooks"):
        shutil.rmtree(HERE / folder, ignore_errors=True)
        (HERE / folder).mkdir()
    for name in registry.list_models():
        (HERE / "architectures" / f"{name}.md").write_text(page(name))
    for notebook in (HERE.parent / "notebooks").glob("*.ipynb"):
        shutil.copy(notebook, HERE / "notebooks")


def page(name: str) -> str:
    """The page of an architecture, in Markdown."""
    about = table.architecture_card(name)
    parts = [f"# {name}", linked(source.module_docstring(name))]
    if (PICTURES / f"{name}.webp").exists():
        parts.append(f"![Results of {name}](../pictures/{name}.webp)")
    shown = next(iter(about["checkpoints"]), name)  # with trained weights, where there are any
    parts += [f"    model = cnnzoo.build({shown!r})", scores(name), "## Configuration fields", fields(about["config"])]
    own, *parents = source.lineage_names(name)
    bases = [each for each in parents if each.startswith("cnnzoo.tasks.")]  # which have no page of their own
    parts += ["## Reference", reference(own), *(reference(each, "no-index") for each in bases)]
    return "\n\n".join(parts) + "\n"


def linked(text: str) -> str:
    """Turns the papers in a docstring into links: arXiv:1511.06434, doi:10.1109/5.726791 and https://…"""
    text = re.sub(r"\barXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", text)
    text = re.sub(r"\bdoi:(10\.\S*\w)", r"[doi:\1](https://doi.org/\1)", text)
    return re.sub(r"(?<!\()(https://[^\s)]*\w)", r"<\1>", text)


def scores(name: str) -> str:
    """For each recipe, its scores next to the published ones."""
    parts = ["## Obtained and published"]
    for checkpoint in list_recipes(name):
        mine = recipe(checkpoint)
        parts += [f"### {checkpoint}", f"    cnnzoo train {checkpoint}"]
        obtained = "nothing yet: no checkpoint is bundled"
        if checkpoint in hub.list_checkpoints(name):
            card = hub.card(checkpoint)
            sets = "+".join(f"[{part}]({CATALOG[part].homepage})" for part in card["data"]["name"].split("+"))
            parts.append(f"Trained on {sets} (license: {card['data']['licence']}); see [data](../data.md).")
            obtained = f"{table.headline(card)}; `cnnzoo evaluate {checkpoint}` prints the protocol"
        columns = {"obtained": obtained, "published": mine.published}
        if mine.differs:
            columns["differences"] = mine.differs
        rows = (columns, ["---"] * len(columns), columns.values())
        parts.append("\n".join(f"| {' | '.join(row)} |" for row in rows))
    if len(parts) == 1:
        parts.append("There is no recipe and no checkpoint.")
    return "\n\n".join(parts)


def fields(config: dict) -> str:
    """The fields of an architecture with their defaults, as a table."""
    rows = "\n".join(f"| `{field}` | `{default!r}` |" for field, default in config.items())
    return f"| field | default |\n| --- | --- |\n{rows}"


def reference(name: str, *options: str) -> str:
    """The documentation of a class and its methods; Sphinx's `no-index` for a class on several pages."""
    fields = "".join(f"\n   :{option}:" for option in ("members", *options))
    return f"```{{eval-rst}}\n.. autoclass:: {name}{fields}\n```"
