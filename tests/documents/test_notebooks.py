"""The notebooks run from a clean kernel, warn of nothing, leave something to keep, and are stored with outputs."""

import ast
import base64
import importlib.util
import io
import re
from pathlib import Path

import pytest
from PIL import Image

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
PICTURES = ("image/png", "image/jpeg")
SILENT = {"save", "savefig", "save_png", "compile", "write_bytes"}  # calls of which a cell shows nothing

# The quickstart is run by every test run, the others take as long each.
RUN = [pytest.param(path, marks=[] if "quickstart" in path.stem else pytest.mark.slow) for path in NOTEBOOKS]


@pytest.fixture(scope="module")
def runner():
    """notebooks/run.py"""
    spec = importlib.util.spec_from_file_location("run", FOLDER / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path):
    import nbformat

    return nbformat.read(path, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pictures(notebook):
    """The pictures in the outputs."""
    data = [output.get("data", {}) for cell in code(notebook) for output in cell.outputs]
    return [Image.open(io.BytesIO(base64.b64decode(each[kind]))) for each in data for kind in PICTURES if kind in each]


def outline(notebook):
    """What the outputs are, but for numbers, which differ between processors."""

    def words(text):
        return re.sub(r"\s+", " ", re.sub(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", "#", text))

    return [
        [
            (output.output_type, words(output.get("text", "") or output.get("data", {}).get("text/plain", "")))
            for output in cell.outputs
        ]
        for cell in code(notebook)
    ]


@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_it_runs_without_a_warning_to_the_outputs_that_are_stored(path, runner, tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")  # which no reader has set
    kept = read(path)
    made = runner.executed(kept, tmp_path)
    outputs = [output for cell in code(made) for output in cell.outputs]
    told = "".join(output["text"] for output in outputs if output.output_type == "stream" and output.name == "stderr")
    assert told == ""
    assert not [output for output in outputs if "Warning" in output.get("text", "")]
    assert outline(made) == outline(kept)  # else: python notebooks/run.py
    assert [picture.size for picture in pictures(made)] == [picture.size for picture in pictures(kept)]
    assert list(tmp_path.iterdir())  # something to keep


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_stored_with_small_pictures_and_nothing_of_its_run(path, runner):
    text, notebook = path.read_text(encoding="utf-8"), read(path)
    assert text == runner.stored(notebook) and len(text.encode()) < 1e6
    assert set(notebook.metadata) == {"kernelspec", "language_info"} and set(notebook.metadata.language_info) == {
        "name"
    }
    assert [cell.id for cell in notebook.cells] == [f"cell-{i:02d}" for i in range(len(notebook.cells))]
    assert all(cell.metadata == {} for cell in notebook.cells)
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    shown = pictures(notebook)
    assert shown and all(picture.width <= runner.WIDEST for picture in shown)
    for cell in code(notebook):
        assert bool(cell.outputs) == shows(cell.source), cell.source


def shows(source):
    """Whether a cell has an output: it prints, or ends in a value."""
    tree = ast.parse(source)
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    if any(getattr(call, "id", "") == "print" for call in calls):
        return True
    last = tree.body[-1]
    silent = isinstance(last, ast.Expr) and isinstance(last.value, ast.Call) and called(last.value) in SILENT
    return isinstance(last, ast.Expr) and not silent


def called(call):
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_first_lines_say_how_it_runs_elsewhere(path):
    assert re.search(r"`pip install 'cnnzoo\[[\w,]+\]'` and no other file", read(path).cells[0].source)


def test_more_samples_tighten_the_bound_of_the_likelihood():
    notebook = read(next(path for path in NOTEBOOKS if path.stem.startswith("02")))
    text = "".join(output.get("text", "") for cell in code(notebook) for output in cell.outputs)
    bounds = [float(found) for found in re.findall(r"(?:ELBO|draws) (-\d+\.\d) nats", text)]
    assert len(bounds) == 4 and bounds == sorted(bounds)


@pytest.mark.slow
def test_restoring_takes_the_path_of_an_own_photograph(tmp_path):
    from nbclient import NotebookClient
    from skimage.data import coffee

    Image.fromarray(coffee()).resize((151, 100)).convert("L").save(tmp_path / "me.jpg")  # neither a multiple of 3
    notebook = read(next(path for path in NOTEBOOKS if path.stem.startswith("04")))
    first = notebook.cells[1]
    assert "path = None" in first.source
    first.source = first.source.replace("path = None", 'path = "me.jpg"')
    NotebookClient(notebook, timeout=180, resources={"metadata": {"path": str(tmp_path)}}).execute()
