"""Notebooks run in a clean kernel without warnings, write files, and are stored with their outputs."""

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
SILENT = {"save", "savefig", "save_png", "compile", "write_bytes"}  # calls without a displayed value

# Only the quickstart is among the fast tests; each of the others takes as long.
RUN = [pytest.param(path, marks=[] if "quickstart" in path.stem else pytest.mark.slow) for path in NOTEBOOKS]


@pytest.fixture(scope="module")
def runner():
    """The module notebooks/run.py."""
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
    """Returns the pictures in the outputs."""
    data = [output.get("data", {}) for cell in code(notebook) for output in cell.outputs]
    return [Image.open(io.BytesIO(base64.b64decode(each[kind]))) for each in data for kind in PICTURES if kind in each]


def outline(notebook):
    """Returns the types and texts of the outputs, with masked numbers, since these differ between processors."""

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
def test_notebook_run_matches_stored_outputs_without_warnings(path, runner, tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")  # not set by readers
    kept = read(path)
    made = runner.executed(kept, tmp_path)
    outputs = [output for cell in code(made) for output in cell.outputs]
    told = "".join(output["text"] for output in outputs if output.output_type == "stream" and output.name == "stderr")
    assert told == ""
    assert not [output for output in outputs if "Warning" in output.get("text", "")]
    assert outline(made) == outline(kept)  # to update: python notebooks/run.py
    assert [picture.size for picture in pictures(made)] == [picture.size for picture in pictures(kept)]
    assert list(tmp_path.iterdir())  # the notebook writes files


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_file_has_small_pictures_and_no_run_metadata(path, runner):
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
    """Returns whether a cell has an output: a call of print, or a value at its end."""
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
def test_notebook_first_cell_gives_install_command(path):
    assert "`pip install -e '.[notebooks]'` in a clone, and no other file" in read(path).cells[0].source


def test_notebook_likelihood_bound_tightens_with_samples():
    notebook = read(next(path for path in NOTEBOOKS if path.stem.startswith("02")))
    text = "".join(output.get("text", "") for cell in code(notebook) for output in cell.outputs)
    bounds = [float(found) for found in re.findall(r"(?:ELBO|draws) (-\d+\.\d) nats", text)]
    assert len(bounds) == 4 and bounds == sorted(bounds)


@pytest.mark.slow
def test_restoring_notebook_accepts_path_of_own_photograph(tmp_path):
    from nbclient import NotebookClient
    from skimage.data import coffee

    Image.fromarray(coffee()).resize((151, 100)).convert("L").save(tmp_path / "me.jpg")  # no side is a multiple of 3
    notebook = read(next(path for path in NOTEBOOKS if path.stem.startswith("04")))
    first = notebook.cells[1]
    assert "path = None" in first.source
    first.source = first.source.replace("path = None", 'path = "me.jpg"')
    NotebookClient(notebook, timeout=180, resources={"metadata": {"path": str(tmp_path)}}).execute()
