"""What the documents say is so: their programs run, what is linked exists, the table is that of the cards."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import cnnzoo
from cnnzoo import cards, registry
from cnnzoo.training.recipes import list_recipes, recipe

ROOT = Path(__file__).parents[1]
README, CONTRIBUTING = (ROOT / name for name in ("README.md", "CONTRIBUTING.md"))
PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = (README, CONTRIBUTING, *PAGES)


def programs(document):
    found = re.findall(r"^( *)```python\n(.*?)^ *```", document.read_text(), re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(program) for _, program in found]


@pytest.mark.parametrize("number", range(len(programs(README))))
def test_the_programs_of_the_readme_run(number, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", programs(README)[number]], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    if number == 0:
        assert float(done.stdout.split()[0]) > 0.9
    if number == 1:
        assert (tmp_path / "dcgan.keras").stat().st_size > 100_000


@pytest.mark.parametrize("page", [page for page in PAGES if programs(page)], ids=lambda page: page.stem)
def test_the_programs_of_a_page_run(page, tmp_path):
    """One after the other in one process, each with names of its own."""
    run = "import sys\nfor program in sys.argv[1:]:\n    exec(compile(program, 'program', 'exec'), {})"
    done = subprocess.run(
        [sys.executable, "-c", run, *programs(page)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_architecture_of_the_guide_is_built_by_name_and_trains(tmp_path, monkeypatch):
    (tmp_path / "tiny.py").write_text(programs(CONTRIBUTING)[0])
    monkeypatch.syspath_prepend(tmp_path)
    __import__("tiny")
    model = cnnzoo.build("tiny", filters=4)
    model.compile()
    history = model.fit(cnnzoo.pipeline("digits", batch_size=64), epochs=2, shuffle=False, verbose=0).history
    assert history["loss"][1] < history["loss"][0]
    assert "tiny" in cnnzoo.list_models()
    del registry._classes["tiny"], sys.modules["tiny"]


@pytest.mark.parametrize("name", registry.list_models())
def test_an_architecture_tells_what_it_minimises_where_it_is_from_and_what_it_looks_like(name):
    cls = registry.architecture(name)
    family = [each for each in cls.__mro__ if each.__module__.startswith("cnnzoo.models.")]
    assert re.search("[Mm](in|ax)imises|The loss is", " ".join(each.__doc__ for each in family))
    modules = " ".join(sys.modules[each.__module__].__doc__ for each in family)
    assert "Source" in modules or all(recipe(each).published.startswith("none: ") for each in list_recipes(name))
    if registry.list_checkpoints(name):  # python docs/pictures.py makes it
        assert (ROOT / "docs" / "pictures" / f"{name}.webp").exists()


def test_the_table_of_the_readme_is_that_of_the_cards():
    assert cards.with_table(README.read_text()) == README.read_text()


def test_the_documents_that_are_linked_exist():
    for document in DOCUMENTS:
        for link in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            assert link.startswith("https://") or (document.parent / link).exists(), link
