"""How-to pages with several processes at once: their commands run in a shell, line by line."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cnnzoo.data.examples import write_examples

HOW_TO = Path(__file__).parents[2] / "docs" / "howto"
LEAST_PICTURE = 10_000  # bytes, minimum of an enlarged photograph


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """A function that runs shell lines in an empty folder, with the commands of this environment first in PATH."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return lambda lines, **options: subprocess.run(["bash", "-ec", lines], text=True, check=True, **options)


def typed(page: str, program: str) -> list[str]:
    """Returns the lines of a page's indented blocks that start with a program name."""
    lines = re.findall(r"^    (\S(?:.*\\\n)*.*)$", (HOW_TO / page).read_text(), re.MULTILINE)
    return [line for line in lines if line.startswith(program)]


@pytest.mark.slow
def test_serve_page_server_and_clients_run(shell, tmp_path):
    write_examples(tmp_path)
    export, serve = typed("serve.md", "cnnzoo")
    shell(export)
    command = [*serve.split("#")[0].split(), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        said = ""
        while not (address := re.search(r"http://127\.0\.0\.1:(\d+)", said)):
            said += server.stdout.readline()
        for line in [*typed("serve.md", "python -m cnnzoo.serving.client"), *typed("serve.md", "curl")]:
            line = line.split(" #")[0].replace("localhost:8501", f"localhost:{address[1]}")
            line += f" --rest http://localhost:{address[1]}" if line.startswith("python") else " --fail --silent"
            answer = shell(line, stdout=subprocess.PIPE).stdout
            assert answer or (tmp_path / "larger.png").stat().st_size > LEAST_PICTURE
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=60) == 130


@pytest.mark.slow
def test_several_machines_page_trains_with_two_workers(shell, tmp_path):
    (block,) = re.findall(
        r"^```bash\n(.*?)^```", (HOW_TO / "several_machines.md").read_text(), re.MULTILINE | re.DOTALL
    )
    for port in re.findall(r"127\.0\.0\.1:(\d+)", block):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            block = block.replace(port, str(free.getsockname()[1]))
    shell(block.replace("--out RUN", "--out RUN --epochs 1 --limit 256") + "wait\n", timeout=300)
    assert (tmp_path / "RUN" / "model.weights.h5").exists()
