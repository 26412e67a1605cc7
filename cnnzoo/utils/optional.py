"""Checks of optional packages."""

from importlib.util import find_spec


def require(feature: str, extra: str, *modules: str) -> None:
    """Checks that the modules of a feature are installed.

    Raises:
        ModuleNotFoundError: Some are missing; the message has the command to install them.
    """
    if missing := [name for name in modules if find_spec(name) is None]:
        command = f"pip install -e '.[{extra}]', where cnnzoo was cloned"
        raise ModuleNotFoundError(f"{feature} needs {', '.join(missing)}; install it by: {command}")
