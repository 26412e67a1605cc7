"""Shared fixtures of the command tests."""

import pytest

from cnnzoo.cli import main


@pytest.fixture
def run_main(capsys):
    """Runs a command line; returns stdout and stderr."""

    def run(*words, code=0):
        try:
            ended = main([str(word) for word in words])
        except SystemExit as stopped:
            ended = stopped.code
        out, err = capsys.readouterr()
        assert ended == code, err
        return out, err

    return run
