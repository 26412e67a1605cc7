"""Runs the notebooks and stores them with their outputs, with reduced pictures.

python notebooks/run.py          # all
python notebooks/run.py 04 05    # some, by the beginning of their names

Each notebook runs in an empty folder with a fixed seed of Keras. A second run on the same machine writes the same
bytes. Other processors or versions may round differently, so that trained weights and their scores differ in the last
digits.
"""

import base64
import io
import sys
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

HERE = Path(__file__).parent
WIDEST = 900  # pixels of a picture
PATIENCE = 1800  # time limit of a cell, in seconds
SEED = "import cnnzoo\nimport keras\n\nkeras.utils.set_random_seed(0)"


def main(names: list[str]) -> None:
    for path in sorted(HERE.glob("*.ipynb")):
        if not names or path.name.startswith(tuple(names)):
            with tempfile.TemporaryDirectory() as folder:
                text = stored(executed(nbformat.read(path, as_version=4), folder))
            path.write_text(text, encoding="utf-8")
            print(f"{path.name}: {len(text) / 1e3:.0f} kB", flush=True)


def executed(notebook: Any, folder: Any) -> Any:
    """Runs a notebook in a folder; returns a copy with the outputs, without metadata that differ between runs."""
    made = deepcopy(notebook)
    made.cells.insert(0, nbformat.v4.new_code_cell(SEED))
    NotebookClient(
        made,
        timeout=PATIENCE,
        record_timing=False,
        extra_arguments=["--IPKernelApp.capture_fd_output=False"],  # omits the C++ logs of TensorFlow
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    del made.cells[0]
    made.metadata = notebook.metadata
    for count, cell in enumerate((cell for cell in made.cells if cell.cell_type == "code"), 1):
        cell.execution_count, cell.metadata, cell.outputs = count, {}, _joined(cell.outputs)
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
            if "image/png" in output.get("data", {}):
                _shrink(output)
    return made


def stored(notebook: Any) -> str:
    """Returns a notebook as the text of its file."""
    return nbformat.writes(notebook) + "\n"


def _joined(outputs: list[Any]) -> list[Any]:
    """Joins consecutive outputs of the same stream, whose number of parts is random."""
    made: list[Any] = []
    for output in outputs:
        if output.output_type == "stream" and made and made[-1].get("name") == output.name:
            made[-1].text += output.text
        else:
            made.append(output)
    return made


def _shrink(output: Any) -> None:
    """Reduces the picture of an output to PNG, which is transparent, or to JPEG if that is much smaller."""
    # No WebP: code hosts do not show it in notebooks.
    picture = Image.open(io.BytesIO(base64.b64decode(output.data.pop("image/png")))).convert("RGBA")
    size = output.metadata.pop("image/png", {})
    picture.thumbnail((WIDEST, 4 * WIDEST), Image.Resampling.LANCZOS)
    flat = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    png, jpeg = _encoded(picture, "PNG", optimize=True), _encoded(flat, "JPEG", quality=88)
    kind, data = ("image/jpeg", jpeg) if 2 * len(jpeg) < len(png) else ("image/png", png)
    output.data[kind] = base64.b64encode(data).decode() + "\n"
    if size:
        output.metadata[kind] = size


def _encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


if __name__ == "__main__":
    main(sys.argv[1:])
