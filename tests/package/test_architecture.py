"""The package layers listed in ARCHITECTURE.md, checked against the real imports."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = {
    name: int(layer)
    for layer, name in re.findall(r"^\| (\d+) \| `(\w+)(?:/|\.py)` \|", (ROOT / "ARCHITECTURE.md").read_text(), re.M)
}
# Modules without a layer: `__init__` lists the public functions and their modules for lazy imports.
FACE = {"__init__", "__main__", "_bootstrap"}


def modules() -> dict[str, ast.Module]:
    """Returns the syntax tree of each module by dotted name."""
    found = {}
    for path in sorted((ROOT / "cnnzoo").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(path.read_text())
    return found


MODULES = modules()


def imports(tree: ast.AST) -> set[str]:
    """Returns the package modules imported by a tree, including imports inside functions."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else str(node.module) for name in names}
    return found & MODULES.keys()


def layer(module: str) -> str:
    return module.split(".")[1]


def test_every_folder_and_flat_file_has_a_layer():
    inside = [path for path in (ROOT / "cnnzoo").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    assert {path.stem for path in inside} - FACE == LAYERS.keys()
    assert len([path for path in inside if path.suffix == ".py"]) <= 6


@pytest.mark.parametrize("folder", LAYERS)
def test_layer_imports_nothing_from_higher_layers(folder):
    up = [
        f"{module} imports {other}"
        for module, tree in MODULES.items()
        if module.startswith(f"cnnzoo.{folder}.") or module == f"cnnzoo.{folder}"
        for other in imports(tree)
        if other != "cnnzoo" and layer(other) != folder and LAYERS[layer(other)] > LAYERS[folder]
    ]
    assert not up


def test_imports_are_acyclic():
    edges = {module: {name for name in imports(tree) if name != module} for module, tree in MODULES.items()}
    # Parent packages are left out: an __init__ re-exports names of its own package and imports nothing above.
    for module, others in edges.items():
        edges[module] = {name for name in others if not module.startswith(f"{name}.")}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " imports ".join([*path[path.index(module) :], module])
        if module not in done:
            for other in edges[module]:
                visit(other, (*path, module))
            done.add(module)

    for module in edges:
        visit(module, ())


def test_package_imports_are_at_module_level():
    """Exceptions keep imports light: the command line, and the public functions of a package."""
    light = {"cnnzoo", "cnnzoo._bootstrap", "cnnzoo.export", "cnnzoo.serving", "cnnzoo.tuning", "cnnzoo.web_app"}
    late = [
        f"{module}:{node.lineno}"
        for module, tree in MODULES.items()
        if module not in light and not module.startswith("cnnzoo.cli")
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("cnnzoo")
    ]
    assert not late


def test_data_modules_do_not_import_data_package():
    inside = {name: imports(tree) for name, tree in MODULES.items() if name.startswith("cnnzoo.data.")}
    assert [name for name, others in inside.items() if "cnnzoo.data" in others] == []
