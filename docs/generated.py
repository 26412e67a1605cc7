"""A Sphinx extension that writes the unstored pages of the site in each build.

These are the cards of the front page, a page for each architecture, and copies of the notebooks.
"""

import json
import re
import shutil
from pathlib import Path

import drawn

import cnnzoo
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
    """Writes `architectures/`, `notebooks/` and `front.html` to the folder of this file."""
    for folder in ("architectures", "notebooks"):
        shutil.rmtree(HERE / folder, ignore_errors=True)
        (HERE / folder).mkdir()
    for name in registry.list_models():
        figure = drawn.networks(cnnzoo.build(name))
        (HERE / "architectures" / f"{name}.md").write_text(page(name, figure))
    (HERE / "front.html").write_text(front())
    for notebook in (HERE.parent / "notebooks").glob("*.ipynb"):
        shutil.copy(notebook, HERE / "notebooks")


# {task or architecture: example call with the files of `cnnzoo data examples`}.
CALLS = {
    "classify": 'print(model.classify("three.png"))  # probabilities, (1, classes)',
    "enhance": 'better = model.enhance("photo.jpg", strength=0.7)',
    "generate": "images = model.generate(16, seed=0)  # float32 in [0, 1]",
    "inpaint": 'whole = model.restore("torn.png", mask="mask.png")',
    "reconstruct": 'again = model.reconstruct("three.png")',
    "restore": 'clean = model.restore("noisy.png")',
    "stylize": 'painted = model.stylize("photo.jpg", "starry_night")',
    "upscale": 'larger = model.upscale("photo.jpg")',
    "adain": 'painted = model.stylize("photo.jpg", "photos/flower.jpg")',
}
FITTING = (".mnist", ".photos64", ".color_blind", ".x3")  # checkpoints for the files of `cnnzoo data examples`
LEGEND = (
    "Drawn from the model with its default configuration. The width of a box is the side of its maps, its height the "
    "number of channels (logarithmic). Right: the shape of the output, and below it the number of parameters."
)


# {task: (title, note)} of the cards on the front page; `pictures.py` writes their pictures.
FRONT = {
    "upscale": ("Enlarge", "100 to 400 pixels"),
    "denoise": ("Denoise", "noise of unknown level"),
    "inpaint": ("Repair", "lettering removed"),
    "enhance": ("Correct the light", "two stops underexposed"),
    "stylize": ("Paint", "The Starry Night, by optimization"),
    "generate": ("Generate", "digits and clothes"),
}


def front() -> str:
    """Returns the cards of the front page as HTML, with sliders between before and after."""
    cards = []
    for name, (title, note) in FRONT.items():
        after = f'<img src="_static/{name}_after.webp" width="400" height="400" alt="{title}: {note}">'
        if name != "generate":  # it has no input
            before = f'<img src="_static/{name}_before.webp" width="400" height="400" alt="before">'
            slider = f'<input type="range" min="0" max="100" value="50" aria-label="{title}: before or after">'
            after = f"{before}{after}{slider}"
        told = f'<a href="tasks/{name}.html">{title}</a> <span>{note}</span>'
        cards.append(f"<figure><div>{after}</div><figcaption>{told}</figcaption></figure>")
    return f'<div class="front">{"".join(cards)}</div>\n'


def page(name: str, figure: str = "") -> str:
    """Returns the page of an architecture in Markdown; `figure` is a drawing of its networks as HTML."""
    about = table.architecture_card(name)
    parts = [f"# {name}", linked(source.module_docstring(name))]
    if (PICTURES / f"{name}.webp").exists():
        parts.append(f"![Results of {shown(name) or name}](../pictures/{name}.webp)")
    parts += [example(name), "## Network"]
    parts += [html(figure), LEGEND] if figure else ["It has none of its own: it optimizes the pixels of a picture."]
    parts += ["## Losses", equations()[name], scores(name), "## Configuration fields", fields(about["config"])]
    own, *parents = source.lineage_names(name)
    bases = [each for each in parents if each.startswith("cnnzoo.tasks.")]  # these have no page
    parts += ["## Reference", reference(own), *(reference(each, "no-index") for each in bases)]
    return "\n\n".join(parts) + "\n"


def example(name: str) -> str:
    """Returns a program that runs a checkpoint of an architecture, or builds it with random weights."""
    checkpoint = shown(name)
    lines = ["import cnnzoo", "", f'model = cnnzoo.build("{checkpoint or name}")']
    if checkpoint:
        call = CALLS.get(name, CALLS[hub.card(checkpoint)["task"]])
        lines.append(call.replace("three.png", "photo.jpg") if checkpoint.endswith(".cifar10") else call)
    return "```python\n" + "\n".join(lines) + "\n```"


def shown(name: str) -> str | None:
    """Returns the checkpoint in the example and the picture of an architecture; None if it has none."""
    checkpoints = table.architecture_card(name)["checkpoints"]
    fitting = [each for each in checkpoints if each.endswith(FITTING)]
    return next(iter(fitting or checkpoints), None)


def html(text: str) -> str:
    return f"```{{raw}} html\n{text}\n```"


def equations() -> dict[str, str]:
    """Returns {architecture: losses} from `equations.md`."""
    _, *sections = re.split(r"^## (.*)$", (HERE / "equations.md").read_text(), flags=re.MULTILINE)
    pairs = zip(sections[::2], sections[1::2], strict=True)
    return {name: text.strip() for names, text in pairs for name in names.split(", ")}


def linked(text: str) -> str:
    """Turns references in a docstring into links: arXiv:1511.06434, doi:10.1109/5.726791 and https://…"""
    text = re.sub(r"\barXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", text)
    text = re.sub(r"\bdoi:(10\.\S*\w)", r"[doi:\1](https://doi.org/\1)", text)
    return re.sub(r"(?<!\()(https://[^\s)]*\w)", r"<\1>", text)


def scores(name: str) -> str:
    """Returns the obtained and published scores of each recipe."""
    parts = ["## Obtained and published"]
    for checkpoint in list_recipes(name):
        mine = recipe(checkpoint)
        parts += [f"### {checkpoint}", f"{mine.summary}. {mine.cost}." if mine.cost else f"{mine.summary}."]
        parts.append(f"    cnnzoo train {checkpoint}")
        obtained = f"no checkpoint is bundled; expected: {mine.expects}"
        if checkpoint in hub.list_checkpoints(name):
            card = hub.card(checkpoint)
            sets = "+".join(f"[{part}]({CATALOG[part].homepage})" for part in card["data"]["name"].split("+"))
            parts.append(f"Trained on {sets} (license: {card['data']['licence']}); see [data](../data.md).")
            obtained = f"{table.headline(card)}; `cnnzoo evaluate {checkpoint}` prints the protocol"
        told = {"Obtained": obtained, "Published": mine.published, "Differences": mine.differs}
        parts.append("\n".join(f"- **{key}**: {text}" for key, text in told.items() if text))
        if (file := HERE / "curves" / f"{checkpoint}.json").exists():
            parts.append(html(curve(json.loads(file.read_text()))))
    if len(parts) == 1:
        parts.append("There is no recipe and no checkpoint.")
    return "\n\n".join(parts)


def curve(entries: list[dict]) -> str:
    """Returns a plot of the Fréchet distance during training."""
    points = [(entry["core_hours"], entry["frechet"]) for entry in entries]
    return drawn.curve(points, "core-hours of training", "Fréchet distance on validation images")


def fields(config: dict) -> str:
    """Returns a table of the configuration fields and their defaults."""
    rows = "\n".join(f"| `{field}` | `{default!r}` |" for field, default in config.items())
    return f"| field | default |\n| --- | --- |\n{rows}"


def reference(name: str, *options: str) -> str:
    """Returns the `autoclass` directive of a class; the option `no-index` is for a class on several pages."""
    fields = "".join(f"\n   :{option}:" for option in ("members", *options))
    return f"```{{eval-rst}}\n.. autoclass:: {name}{fields}\n```"
