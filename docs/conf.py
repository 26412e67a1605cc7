"""The site: Sphinx, with pages in Markdown (MyST) and notebooks as they are stored.

    sphinx-build docs site

Written for the build, and not stored: `architectures/`, a page for each architecture, and `notebooks/`, copies.
"""

import re
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from architectures import page

from cnnzoo import registry

project = html_title = "cnnzoo"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
html_theme = "furo"
html_static_path = ["style.css"]
html_css_files = ["style.css"]
html_show_sphinx = html_show_copyright = html_copy_source = False
myst_heading_anchors = 4  # for links such as data.md#sources
nb_execution_mode = "off"  # notebooks are stored with their pictures
highlight_language = "text"
default_role = "code"  # docstrings have code in single backquotes
autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
suppress_warnings = ["myst.header"]


def write_pages(app: object) -> None:
    """Writes the pages of the architectures and copies the notebooks."""
    for folder in ("architectures", "notebooks"):
        shutil.rmtree(HERE / folder, ignore_errors=True)
        (HERE / folder).mkdir()
    for name in registry.list_models():
        (HERE / "architectures" / f"{name}.md").write_text(page(name))
    for notebook in (HERE.parent / "notebooks").glob("*.ipynb"):
        shutil.copy(notebook, HERE / "notebooks")


def escape_bars(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Shows |x| in docstrings as it is, which reStructuredText would replace."""
    for i, line in enumerate(lines):
        parts = re.split("(`[^`]*`)", line)
        lines[i] = "".join(part if part.startswith("`") else part.replace("|", r"\|") for part in parts)


def setup(app: object) -> None:
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", escape_bars, priority=900)  # after napoleon
