"""Fields and docstrings of architectures, read from source code without importing a network library."""

import ast
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from cnnzoo.utils.configuration import Field

PACKAGE = Path(__file__).parents[1]


@cache
def _module(name: str) -> ast.Module:
    path = PACKAGE.joinpath(*name.split(".")[1:])  # without importing its packages
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


def docstring(node: ast.Module | ast.ClassDef) -> str:
    """The docstring of a node, or ""."""
    return ast.get_docstring(node) or ""


def module_docstring(architecture: str) -> str:
    """The docstring of an architecture's module."""
    return docstring(_module(f"cnnzoo.models.{architecture}"))


def summary(architecture: str) -> str:
    """The first line of the docstring of an architecture's module."""
    return module_docstring(architecture).split("\n")[0]


def paper(architecture: str) -> str:
    """The source in the docstring of an architecture's module."""
    paragraphs = module_docstring(architecture).split("\n\n")
    sources = [p.partition(": ")[2] for p in paragraphs if p.startswith(("Source: ", "Sources: "))]
    return " ".join(sources[0].split()) if sources else "none; a plain convolutional network"


def lineage(architecture: str) -> list[ast.ClassDef]:
    """The class of one of the zoo's own architectures and its parents, as far as they are in the zoo."""
    return [node for _, node in _definitions(architecture)]


def lineage_names(architecture: str) -> list[str]:
    """The dotted names of the classes of `lineage`."""
    return [f"{module}.{node.name}" for module, node in _definitions(architecture)]


def _definitions(architecture: str) -> list[tuple[str, ast.ClassDef]]:
    """The classes of `lineage`, each with its module."""
    module = f"cnnzoo.models.{architecture}"
    decorator = f"register({architecture!r})"
    name = next(
        node.name
        for node in _module(module).body
        if isinstance(node, ast.ClassDef) and decorator in map(ast.unparse, node.decorator_list)
    )
    found: list[tuple[str, ast.ClassDef]] = []
    while home := _home(module, name):
        module, node = home
        found.append(home)
        if not node.bases:
            break
        name = ast.unparse(node.bases[0])
    return found


def _home(module: str, name: str) -> tuple[str, ast.ClassDef] | None:
    """The module and the definition of a class that a module names; None if it is not in the zoo."""
    while module.startswith("cnnzoo."):
        body = _module(module).body
        for node in body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                return module, node
        imported = {a.name: n.module or "" for n in body if isinstance(n, ast.ImportFrom) for a in n.names}
        module = imported.get(name, "")
    return None


def fields(classes: Sequence[ast.ClassDef]) -> dict[str, Field]:
    """The keywords of `__init__` of a class and its parents, with their defaults; see `lineage`."""
    found: dict[str, Field] = {}
    for node in reversed(classes):
        for argument, default in _keywords(node):
            value = ast.literal_eval(default) if default is not None else None
            annotation = ast.unparse(argument.annotation) if argument.annotation else ""
            inherited = found[argument.arg].annotation if argument.arg in found else ""
            found[argument.arg] = Field(value, annotation or inherited)
    return found


def _keywords(node: ast.ClassDef) -> Iterable[tuple[ast.arg, ast.expr | None]]:
    for method in _methods(node):
        if method.name == "__init__":
            yield from zip(method.args.kwonlyargs, method.args.kw_defaults, strict=True)


def _methods(node: ast.ClassDef) -> list[ast.FunctionDef]:
    return [each for each in node.body if isinstance(each, ast.FunctionDef)]


def parameters(classes: Sequence[ast.ClassDef], verb: str) -> list[str] | None:
    """The parameters of a method of a class or its parents; None if there is no such method."""
    for node in classes:
        for method in _methods(node):
            if method.name == verb:
                return [argument.arg for argument in (*method.args.args[1:], *method.args.kwonlyargs)]
    return None


def value(classes: Sequence[ast.ClassDef], name: str) -> Any:
    """The literal assigned to a name in the body of a class or its parents, or None."""
    for node in classes:
        for line in node.body:
            if isinstance(line, ast.Assign) and name in map(ast.unparse, line.targets):
                return ast.literal_eval(line.value)
    return None


def described(classes: Sequence[ast.ClassDef]) -> tuple[str, dict[str, str]]:
    """The docstring of a class without its sections, and {keyword: meaning} with those of its parents."""
    meanings: dict[str, str] = {}
    for node in reversed(classes):
        args = docstring(node).partition("\nArgs:\n")[2].partition("\n\n")[0]
        for entry in re.split(r"\n    (?=\S)", f"\n{args}")[1:]:
            names, _, meaning = entry.partition(":")
            if all(name.isidentifier() for name in names.split(", ")):
                meaning = " ".join(meaning.split())
                is_reference = meaning.startswith("See `")  # to a parent, whose meaning is kept
                meanings |= {name: meaning for name in names.split(", ") if not (is_reference and name in meanings)}
    prose = re.split(r"\n(?:Args|Returns|Raises|Source|Attributes):", docstring(classes[0]))[0]
    return " ".join(prose.split()), meanings
