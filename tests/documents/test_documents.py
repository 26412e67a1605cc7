"""Checks of the documents: programs run, links are valid, tables match the cards and the catalog."""

import ast
import importlib.util
import inspect
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import cnnzoo
from cnnzoo import hub, registry
from cnnzoo.checkpoints import table
from cnnzoo.data.catalog import CATALOG, PUBLIC_SETS
from cnnzoo.recipes import list_recipes, recipe

ROOT = Path(__file__).parents[2]
README, CONTRIBUTING = (ROOT / name for name in ("README.md", "CONTRIBUTING.md"))
LONGEST_README = 150  # lines
PAGES = sorted(page for folder in ("docs", "docs/tasks", "docs/howto") for page in (ROOT / folder).glob("*.md"))
FIRST = ROOT / "docs" / "index.md"
CHECKPOINTS, DATA, PYTHON = (ROOT / "docs" / name for name in ("checkpoints.md", "data.md", "python.md"))
DOCUMENTS = (*sorted(ROOT.glob("*.md")), ROOT / "saved_models/README.md", ROOT / "benchmarks/serving.md", *PAGES)


def programs(document):
    found = re.findall(r"^( *)```python\n(.*?)^ *```", document.read_text(), re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(program) for _, program in found]


def run(document, folder):
    """Runs the programs of a document in one process, each in its own namespace; returns their output."""
    script = "import sys\nfor program in sys.argv[1:]:\n    exec(compile(program, 'program', 'exec'), {})"
    command = [sys.executable, "-c", script, *programs(document)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_index_page_program_upscales_a_photograph(tmp_path):
    assert run(FIRST, tmp_path) == "(128, 128, 3) (384, 384, 3)\n"


@pytest.mark.slow
def test_readme_programs_write_their_files(tmp_path):
    run(README, tmp_path)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes.keys() == {"larger.png", "dcgan.keras"} and min(sizes.values()) > 10_000


@pytest.mark.slow
def test_python_page_programs_classify_digits_and_save_dcgan(tmp_path):
    assert float(run(PYTHON, tmp_path).split()[0]) > 0.9
    assert (tmp_path / "dcgan.keras").stat().st_size > 100_000


@pytest.mark.slow
def test_programs_of_remaining_pages_run(tmp_path):
    """Runs in one process, since importing TensorFlow takes longer than most programs; each page has its own folder."""
    script = "import json, os, sys\nfor name, folder, program in json.load(sys.stdin):\n    print(name, flush=True)\n"
    script += "    os.chdir(folder)\n    exec(compile(program, name, 'exec'), {})"
    found = []
    for page in PAGES:
        if page not in (FIRST, PYTHON):
            folder = tmp_path / f"{page.parent.name}.{page.stem}"
            folder.mkdir()
            found += [(f"{page.name} {i}", str(folder), program) for i, program in enumerate(programs(page))]
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, input=json.dumps(found), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr


@pytest.mark.parametrize("document", [each for each in DOCUMENTS if programs(each)], ids=lambda document: document.stem)
def test_document_programs_use_existing_cnnzoo_names(document):
    """Without running the programs: resolves their imports from cnnzoo, and attributes of the package."""
    for program in programs(document):
        for node in ast.walk(ast.parse(program)):
            if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "cnnzoo":
                exec(ast.unparse(node), {})
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "cnnzoo":
                assert hasattr(cnnzoo, node.attr), node.attr


def test_contributing_example_architecture_builds_and_trains(tmp_path, monkeypatch):
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
def test_architecture_documents_loss_source_and_picture(name):
    cls = registry.architecture(name)
    family = [each for each in cls.__mro__ if each.__module__.startswith(("cnnzoo.models.", "cnnzoo.tasks."))]
    described = " ".join(inspect.getdoc(each).partition("\nArgs:")[0] for each in family)  # skips an argument "loss"
    assert re.search(r"\b(loss|losses|objective|(min|max)imi[sz]\w+)\b", described, re.IGNORECASE)
    modules = " ".join(sys.modules[each.__module__].__doc__ for each in family)
    assert "Source" in modules or all(recipe(each).published.startswith("none: ") for each in list_recipes(name))
    assert (ROOT / "docs" / "pictures" / f"{name}.webp").exists()  # written by python docs/pictures.py


def test_checkpoint_table_equals_the_cards():
    assert table.with_table(CHECKPOINTS.read_text()) == CHECKPOINTS.read_text()


def test_readme_does_not_exceed_line_limit():
    assert len(README.read_text().splitlines()) <= LONGEST_README


def anchors(document):
    """Returns the addresses of the headings of a document, as GitHub writes them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\s-]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_document_links_point_to_existing_files_and_headings(document):
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if not link.startswith("https://"):
            file, _, anchor = link.partition("#")
            target = document.parent / file if file else document
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


# -- links -------------------------------------------------------------------------------------------------------------

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def addresses(text):
    """Returns all strings outside of code that start like a web address, even malformed ones."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return re.findall(r"https?:[^\s)>\"']*", re.sub(r"`[^`\n]*`|^    .*$", "", text, flags=re.MULTILINE))


def check_address(address):
    parts = urlsplit(address)
    assert parts.scheme == "https" and re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.hostname), address
    assert not re.search(r"[.,;:\\|\[\]{}]$", address), address
    if parts.hostname == "arxiv.org":
        assert re.fullmatch(r"/abs/\d{4}\.\d{4,5}", parts.path), address
    if parts.hostname == "doi.org":
        assert re.fullmatch(r"/10\.\d{4,}/\S+", parts.path), address


@pytest.fixture(scope="module")
def pages():
    """The module docs/generated.py."""
    sys.path.insert(0, str(ROOT / "docs"))
    found = importlib.util.spec_from_file_location("pages", ROOT / "docs" / "generated.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    yield module
    sys.path.remove(str(ROOT / "docs"))


@pytest.mark.parametrize("document", [*DOCUMENTS, *NOTEBOOKS], ids=lambda document: document.name)
def test_document_addresses_are_well_formed(document):
    for address in addresses(document.read_text()):
        check_address(address)


@pytest.mark.parametrize("name", registry.list_models())
def test_architecture_page_links_sources_and_data(name, pages):
    page = pages.page(name)
    found = addresses(page)
    assert found
    for address in found:
        check_address(address)
    documented = sys.modules[registry.architecture(name).__module__].__doc__
    for paper in re.findall(r"arXiv:([\d.]+\d)", documented):
        assert f"[arXiv:{paper}](https://arxiv.org/abs/{paper})" in page
    if "Source" in documented:
        source = re.search(r"^Sources?: (.*?)(\n\n|\Z)", documented, re.DOTALL | re.MULTILINE)[1]
        titles = re.findall(r'"[^"]+",\s+\d{4},?\s+(\S*)', source)
        assert titles and all(re.match("arXiv:|doi:|https:", each) for each in titles), source
    for checkpoint in hub.list_checkpoints(name):
        for part in hub.card(checkpoint)["data"]["name"].split("+"):
            assert f"[{part}]({CATALOG[part].homepage})" in page


def test_linked_turns_papers_into_links(pages):
    told = pages.linked("A, 2016, arXiv:1511.06434; B, doi:10.1109/5.726791, section 2; C, https://a.org/b-C.html.")
    assert told == (
        "A, 2016, [arXiv:1511.06434](https://arxiv.org/abs/1511.06434); B, "
        "[doi:10.1109/5.726791](https://doi.org/10.1109/5.726791), section 2; C, <https://a.org/b-C.html>."
    )


def test_data_page_lists_sets_with_license_source_and_size():
    rows = re.findall(r"^\| \[`(\w+)`\]\((\S+)\)[^|]*\| ([\d,]+) \| (\S+) \|[^|]*\| ([^|]*) \|", DATA.read_text(), re.M)
    told = {name: rest for name, *rest in rows}
    for name, files in PUBLIC_SETS.items():
        assert told[name][1:3] == [f"{files.files:,}", f"{files.bytes / 1e6:.1f}"]
    for name, known in CATALOG.items():
        if "/" not in name and known.license != "not known":
            assert told[name][0] == known.homepage and told[name][3] == known.license


@pytest.mark.parametrize("name", registry.list_models())
def test_papers_page_lists_the_sources_of_each_architecture(name):
    page = (ROOT / "docs" / "papers.md").read_text()
    documented = sys.modules[registry.architecture(name).__module__].__doc__
    source = re.search(r"^Sources?: .*?(\n\n|\Z)|\Z", documented, re.DOTALL | re.MULTILINE)[0]
    prefixes = {"arXiv:": "https://arxiv.org/abs/", "doi:": "https://doi.org/", "https://": "https://"}
    for prefix, rest in re.findall(r"(arXiv:|doi:|https://)(\S*\w)", source):
        assert f"({prefixes[prefix]}{rest})" in page
    assert f"`{name}`" in page


def test_reference_documents_each_public_name():
    reference = "".join(page.read_text() for page in (ROOT / "docs" / "reference").glob("*.md"))
    documented = re.findall(r"^\.\. autofunction:: cnnzoo\.(\w+)$", reference, re.M)
    assert set(cnnzoo.__all__) - {"__version__"} <= set(documented)


# -- pages of architectures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", registry.list_models())
def test_architecture_page_has_losses_as_equations(name, pages):
    from latex2mathml.converter import convert

    text = pages.equations()[name]
    assert text in pages.page(name)
    blocks, inline = re.findall(r"^\$\$\n(.*?)\n\$\$$", text, re.S | re.M), re.findall(r"(?<!\$)\$([^$\n]+)\$", text)
    assert blocks and all(convert(formula).startswith("<math") for formula in blocks + inline)


@pytest.mark.parametrize("name", ["adain", "cgan", "denoiser", "espcn", "fast_style", "ladder_vae", "lenet", "vqvae"])
def test_network_drawing_has_parameters_and_shapes(name, pages):
    model = cnnzoo.build(name)
    drawing = pages.drawn.networks(model)
    figures = re.findall(r"<figcaption>(.*?) <span>(.*?) parameters</span>.*?</figure>", drawing)
    drawn = {title.replace(" ", "_"): parameters for title, parameters in figures}
    for layer in model.layers:
        if layer.name in drawn and layer.name not in ("backbone", "encoder"):  # drawn with further layers of the model
            assert drawn[layer.name] == pages.drawn.amount(layer.count_params())
    if name == "lenet":
        assert drawn == {"backbone": "62 k"} and ">28\u00d728\u00d76<" in drawing and ">10<" in drawing
    if name == "denoiser":  # images of any size, skip connections
        assert ">h/4\u00d7w/4\u00d748<" in drawing and len(re.findall(r'<path d="M[\d.]+ [\d.]+ H', drawing)) == 7


@pytest.mark.slow
def test_page_example_of_each_call_runs(pages, tmp_path):
    from cnnzoo.data.examples import write_examples

    write_examples(tmp_path)
    by_call = {}
    for checkpoint in cnnzoo.list_checkpoints():
        name = checkpoint.partition(".")[0]
        by_call[name if name in pages.CALLS else hub.card(checkpoint)["task"]] = name
    page = tmp_path / "page.md"
    page.write_text("\n\n".join(pages.example(name) for name in by_call.values()))
    assert by_call.keys() == pages.CALLS.keys()
    run(page, tmp_path)
