"""What is not installed with the package itself."""

from importlib.util import find_spec


def require(what: str, extra: str, *modules: str) -> None:
    """Raises a ModuleNotFoundError that says how to install the modules that are missing for `what`."""
    if missing := [name for name in modules if find_spec(name) is None]:
        command = f"pip install -e '.[{extra}]', where cnnzoo was cloned"
        raise ModuleNotFoundError(f"{what} needs {', '.join(missing)}; install it by: {command}")
