"""What the source of an architecture says of it, read without importing it, and with it a network library."""

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
    path = PACKAGE.joinpath(*name.split(".")[1:])  # found without importing the packages that it is in
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


def docstring(node: ast.Module | ast.ClassDef) -> str:
    return ast.get_docstring(node) or ""


def summary(architecture: str) -> str:
    """The first line of the module of an architecture."""
    return docstring(_module(f"cnnzoo.models.{architecture}")).split("\n")[0]


def lineage(architecture: str) -> list[ast.ClassDef]:
    """The class of one of the zoo's own architectures, its parent, and so on, as long as they are of the zoo."""
    module = f"cnnzoo.models.{architecture}"
    decorator = f"register({architecture!r})"
    name = next(
        node.name
        for node in _module(module).body
        if isinstance(node, ast.ClassDef) and decorator in map(ast.unparse, node.decorator_list)
    )
    found: list[ast.ClassDef] = []
    while home := _home(module, name):
        module, node = home
        found.append(node)
        if not node.bases:
            break
        name = ast.unparse(node.bases[0])
    return found


def _home(module: str, name: str) -> tuple[str, ast.ClassDef] | None:
    """The module of the zoo in which a class is that another one names, and the class; None for one from elsewhere."""
    while module.startswith("cnnzoo."):
        body = _module(module).body
        for node in body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                return module, node
        imported = {a.name: n.module or "" for n in body if isinstance(n, ast.ImportFrom) for a in n.names}
        module = imported.get(name, "")
    return None


def fields(classes: Sequence[ast.ClassDef]) -> dict[str, Field]:
    """The keywords of the `__init__` of the first of these classes and of its parents, with their defaults."""
    found: dict[str, Field] = {}
    for node in reversed(classes):
        for argument, default in _keywords(node):
            value = ast.literal_eval(default) if default is not None else None
            said = ast.unparse(argument.annotation) if argument.annotation else ""
            inherited = found[argument.arg].annotation if argument.arg in found else ""
            found[argument.arg] = Field(value, said or inherited)
    return found


def _keywords(node: ast.ClassDef) -> Iterable[tuple[ast.arg, ast.expr | None]]:
    for method in _methods(node):
        if method.name == "__init__":
            yield from zip(method.args.kwonlyargs, method.args.kw_defaults, strict=True)


def _methods(node: ast.ClassDef) -> list[ast.FunctionDef]:
    return [each for each in node.body if isinstance(each, ast.FunctionDef)]


def parameters(classes: Sequence[ast.ClassDef], verb: str) -> list[str] | None:
    """What a method of a class takes; None where neither it nor a parent has the method."""
    for node in classes:
        for method in _methods(node):
            if method.name == verb:
                return [argument.arg for argument in (*method.args.args[1:], *method.args.kwonlyargs)]
    return None


def value(classes: Sequence[ast.ClassDef], name: str) -> Any:
    """What is assigned to a name in the body of a class or of its parents, if it is a literal."""
    for node in classes:
        for line in node.body:
            if isinstance(line, ast.Assign) and name in map(ast.unparse, line.targets):
                return ast.literal_eval(line.value)
    return None


def described(classes: Sequence[ast.ClassDef]) -> tuple[str, dict[str, str]]:
    """What the docstrings of a class and its parents say: the first without its sections, and {keyword: meaning}."""
    meanings: dict[str, str] = {}
    for node in reversed(classes):
        args = docstring(node).partition("\nArgs:\n")[2].partition("\n\n")[0]
        for entry in re.split(r"\n    (?=\S)", f"\n{args}")[1:]:
            names, _, meaning = entry.partition(":")
            if all(name.isidentifier() for name in names.split(", ")):
                meaning = " ".join(meaning.split())
                referring = meaning.startswith("See `")  # to a parent, which has said it
                meanings |= {name: meaning for name in names.split(", ") if not (referring and name in meanings)}
    prose = re.split(r"\n(?:Args|Returns|Raises|Source|Attributes):", docstring(classes[0]))[0]
    return " ".join(prose.split()), meanings
