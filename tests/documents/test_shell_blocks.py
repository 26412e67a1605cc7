"""Shell blocks of the documents: commands parse and run; programs, files and extras exist."""

import importlib.metadata
import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cnnzoo import cli, registry
from cnnzoo.cli.main import parser

ROOT = Path(__file__).parents[2]
PAGES = sorted(page for folder in ("docs", "docs/tasks", "docs/howto") for page in (ROOT / folder).glob("*.md"))
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES)


def shell(document, fenced=False):
    """Yields the commands of indented or fenced blocks as lists of words, without leading variable assignments."""
    text, indent = document.read_text(), "" if fenced else " " * 4
    if fenced:
        text = "".join(re.findall(r"^```bash\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    else:
        text = re.sub(r"^( *)```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    for line in re.findall(rf"^{indent}([^\s#](?:.*\\\n)*.*)$", text, re.MULTILINE):
        words = shlex.split(line.replace("\\\n", " "), comments=True)
        while "&&" in words:
            yield words[: words.index("&&")]
            words = words[words.index("&&") + 1 :]
        yield [word for word in words if word != "&" and not re.match("[A-Z_]+=", word)]


def mentioned():
    """Returns the inline code that starts with `cnnzoo`, in the text of documents and notebooks."""
    texts = [document.read_text() for document in (*DOCUMENTS, ROOT / "saved_models" / "README.md")]
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(notebook.read_text())["cells"]
        texts += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    return sorted({said for text in texts for said in re.findall("`(cnnzoo [^`]+)`", text)})


COMMANDS = [words[1:] for document in DOCUMENTS for words in shell(document) if words[0] == "cnnzoo"]
# These need a network, shards or a run of their own; only their parsing is tested here.
FENCED = [words[1:] for document in DOCUMENTS for words in shell(document, fenced=True) if words[:1] == ["cnnzoo"]]


@pytest.mark.parametrize("command", COMMANDS + FENCED, ids=" ".join)
def test_document_commands_parse_with_known_architectures(command):
    asked = parser().parse_args(command)
    names = getattr(asked, "name", None) or []
    for name in names if isinstance(names, list) else [names]:
        if name not in ("NAME", "arch.tag") and not re.match("RUN|SEARCH|my_", name):
            registry.architecture(registry.split_name(name)[0])


@pytest.mark.parametrize("said", mentioned())
def test_inline_commands_parse(said, capsys):
    command, *rest = shlex.split(said)[1:]
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([command, *rest, "--help"])  # exits with 2 for an unknown command or choice
    assert ended.value.code == 0
    known = set(re.findall(r"(?<![\w-])--?\w[\w-]*", capsys.readouterr().out))
    assert {word for word in rest if re.match("--?[a-z]", word)} <= known


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)
def test_document_commands_use_existing_files_modules_and_extras(document):
    extras = importlib.metadata.metadata("cnnzoo").get_all("Provides-Extra")
    for program, *words in shell(document):
        if program == "pip":
            assert words[0] == "install"
            if words[1] == "-r":
                assert (ROOT / words[2]).exists()
                continue
            what = words[-1]
            assert words[1:-1] in (["-e"], ["--no-deps", "-e"]) and what.partition("[")[0] == "."
            assert set(what[1:].strip("[]").split(",")) <= {"", *extras}
        elif program == "python" and words[0] == "-m":
            assert importlib.util.find_spec(words[1])
        elif program == "python":
            assert (ROOT / words[0]).exists()
        else:
            assert program in ("cnnzoo", "pytest", "npm", "docker", "curl", "export")


# CHEAPER limits commands to a few images and one epoch. ELSEWHERE maps commands to the test files that run them: every
# checkpoint at work, a server. Commands of several processes, and examples with a placeholder for a checkpoint, are
# tested elsewhere as well.
CHEAPER = {
    "train": ["--epochs", "1", "--limit", "256"],
    "tune": ["--data", "digits", "--trials", "1", "--epochs", "1", "--limit", "256"],
    "evaluate": ["--limit", "500"],
    "evaluate vae.mnist": ["--images", "2", "--samples", "2", "--limit", "500"],
}
ELSEWHERE = {"app": "test_page.py", "demo": "test_gallery.py", "serve": "test_serving.py", "doctor": "test_doctor.py"}


@pytest.mark.slow
def test_document_commands_run(tmp_path, monkeypatch, tfds_data, photograph_sets, capsys):
    """Runs the commands in the order of the documents in an empty folder; `cnnzoo data examples` is among the first."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "queue.txt").write_text("lenet --data digits --epochs 1 --limit 256 --out queued")
    ran = []
    for command in COMMANDS:
        placeholder = command[1:2] in (["NAME"], ["arch.tag"])
        if command not in ran and command[0] not in ELSEWHERE and not placeholder:
            cheaper = CHEAPER.get(" ".join(command[:2]), CHEAPER.get(command[0], []))
            cheaper = [] if {"--resume", "--queue"} & set(command) else cheaper
            assert cli.main([*command, *cheaper]) == 0, (command, capsys.readouterr().err)
            ran.append(command)
    # Programs of the repository that read the output of the commands.
    for part in ("benchmarks", "docs"):
        (tmp_path / part).symlink_to(ROOT / part)
    for words in (words for document in DOCUMENTS for words in shell(document)):
        if words[:2] == ["python", "benchmarks/quality/curves.py"]:
            subprocess.run([sys.executable, *words[1:]], check=True)
