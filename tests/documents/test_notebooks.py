"""The notebooks run from a clean kernel, warn of nothing, and are stored without what a run leaves in them."""

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


# The quickstart is run by every test run, the others take as long each.
RUN = [pytest.param(path, marks=[] if "quickstart" in path.stem else pytest.mark.slow) for path in NOTEBOOKS]


@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_it_runs_and_shows_no_warning(path, tmp_path, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")  # which no reader has set
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=180, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    told = "".join(output["text"] for output in outputs if output.output_type == "stream" and output.name == "stderr")
    assert told == ""
    assert not [output for output in outputs if "Warning" in output.get("text", "")]
    assert [output for output in outputs if "image/png" in output.get("data", {})]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_stored_without_outputs(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert path.read_text(encoding="utf-8") == json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    for cell in notebook["cells"]:
        assert cell["metadata"] == {}
        assert cell["cell_type"] == "markdown" or (cell["outputs"] == [] and cell["execution_count"] is None)


@pytest.mark.slow
def test_restoring_takes_the_path_of_an_own_photograph(tmp_path):
    import nbformat
    from nbclient import NotebookClient
    from PIL import Image
    from skimage.data import coffee

    Image.fromarray(coffee()).resize((151, 100)).convert("L").save(tmp_path / "me.jpg")  # neither a multiple of 3
    notebook = nbformat.read(next(path for path in NOTEBOOKS if path.stem.startswith("04")), as_version=4)
    first = notebook.cells[1]
    assert "path = None" in first.source
    first.source = first.source.replace("path = None", 'path = "me.jpg"')
    NotebookClient(notebook, timeout=180, resources={"metadata": {"path": str(tmp_path)}}).execute()
