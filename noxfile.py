"""Development tasks, run in the environment of `pip install -e '.[test]'`: `nox -s tests`."""

import nox

nox.options.sessions = ["lint", "tests"]


def task(function):
    """Declares a session that runs in the environment of nox."""
    return nox.session(venv_backend="none")(function)


@task
def tests(session: nox.Session) -> None:
    """Runs the fast tests, in minutes."""
    session.run("pytest", "-n", "2", "--dist", "loadfile", *session.posargs)


@task
def slow(session: nox.Session) -> None:
    """Runs the tests over ten seconds."""
    session.run("pytest", "-n", "2", "--dist", "loadfile", "-m", "slow", *session.posargs)


@task
def lint(session: nox.Session) -> None:
    """Checks style, spelling and types."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")
    session.run("mypy")


@task
def docs(session: nox.Session) -> None:
    """Builds the site in site/."""
    session.run("sphinx-build", "--quiet", "--fail-on-warning", "docs", "site")


@task
def wheel(session: nox.Session) -> None:
    """Builds the wheel and runs every checkpoint from it."""
    session.run("python", ".ci/check_wheel.py")


@task
def rescore(session: nox.Session) -> None:
    """Compares all scores of all cards with new measurements, in hours: `nox -s rescore -- espcn.x3`."""
    session.run("python", "-m", "cnnzoo.cli.publish", "--check", *session.posargs)


@task
def gate(session: nox.Session) -> None:
    """Runs all checks of a change in a fresh environment."""
    session.run("bash", ".ci/run", external=True)
