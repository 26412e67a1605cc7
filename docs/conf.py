"""Configuration of the site: Sphinx, with pages in Markdown (MyST) and the stored notebooks.

sphinx-build docs site
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for the extensions `generated` and `mathml`

project = html_title = "cnnzoo"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "generated", "mathml"]
exclude_patterns = ["equations.md"]  # included in the pages of the architectures
myst_enable_extensions = ["dollarmath"]
html_math_renderer = "mathml"
html_theme = "furo"
html_static_path = ["style.css", "accessible.js", "compare.js", "pictures/front"]
html_css_files = ["style.css"]
html_js_files = [("accessible.js", {"defer": "defer"}), "compare.js"]
html_show_sphinx = html_show_copyright = html_copy_source = False
myst_heading_anchors = 4  # for links such as data.md#sources
nb_execution_mode = "off"
highlight_language = "text"
default_role = "code"  # single backquotes in docstrings mark code
autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
suppress_warnings = ["myst.header"]  # headings of notebooks may skip a level


def escape_bars(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Escapes |x| in docstrings, which is a substitution in reStructuredText."""
    for i, line in enumerate(lines):
        parts = re.split("(`[^`]*`)", line)
        lines[i] = "".join(part if part.startswith("`") else part.replace("|", r"\|") for part in parts)


def setup(app: object) -> None:
    app.connect("autodoc-process-docstring", escape_bars, priority=900)  # after napoleon
