"""The page at /, or its JSON: the served models, and a shell command for each signature."""

import json
import re
import shlex
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import quote

from cnnzoo.serving.metrics import PATH
from cnnzoo.serving.model_repository import ModelRepository, Servable

SIDE = 32  # side in pixels of example images of any size
SHORT = 64  # numbers in a literal array, at most

# Nothing is fetched and nothing runs: names and descriptions of an export are text.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def wants_json(accept: str) -> bool:
    """Whether an Accept header prefers JSON to HTML."""
    return "application/json" in accept and "text/html" not in accept


def address(host: str, server: tuple[str, int] | None) -> str:
    """The address of the server for a client: the Host header if it is a valid host, with or without a port."""
    if not re.fullmatch(r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(:\d+)?", host):
        host = "{}:{}".format(*(server or ("localhost", 8501)))
    return f"http://{host}"


def overview(repository: ModelRepository, at: str) -> dict[str, Any]:
    """The served models as JSON values."""
    models = [
        {
            "name": served.name,
            "version": served.version,
            "state": "AVAILABLE",
            "model": served.export.about["model"],
            "status": _path(served.name),
            "metadata": f"{_path(served.name, served.version)}/metadata",
            "signatures": {
                name: {**served.export.about["signatures"][name], "curl": curl(served, name, at)}
                for name in served.export.signatures
            },
        }
        for served in repository.all()
    ]
    failed = [
        {"name": name, "version": version, "state": "END", "error": why, "status": _path(name)}
        for (name, version), why in sorted(repository.failed.items())
    ]
    return {"models": models + failed, "health": "/healthz", "metrics": PATH}


def curl(served: Servable, signature: str, at: str) -> str:
    """A shell command for a signature, with file names or numbers to replace."""
    inputs = served.export.about["signatures"][signature]["inputs"]
    url = f"{at}{_path(served.name)}:predict"
    post = f"curl -s {shlex.quote(url)} -d"
    if any(tensor["dtype"] == "string" for tensor in inputs.values()):
        return f"({'; '.join(_printed(signature, inputs))}) | {post} @-"
    shapes = {name: _shape(tensor["shape"]) for name, tensor in inputs.items()}
    body = {"signature_name": signature, "inputs": {name: _filled(inputs[name], shapes[name]) for name in inputs}}
    if all(_count(shape) <= SHORT for shape in shapes.values()):
        return f"{post} {shlex.quote(json.dumps(body))}"
    arrays = ", ".join(f"{json.dumps(name)}: {_expression(inputs[name], shape)}" for name, shape in shapes.items())
    made = f'{{"signature_name": {json.dumps(signature)}, "inputs": {{{arrays}}}}}'
    program = f"import json; print(json.dumps({made}))"
    return f"python3 -c {shlex.quote(program)} | {post} @-"


def _printed(signature: str, inputs: Mapping[str, Any]) -> list[str]:
    """Commands that together print the body of a request with files."""
    commands, text = [], f'{{"signature_name": {json.dumps(signature)}, "inputs": {{'
    for i, (name, tensor) in enumerate(inputs.items()):
        text += f"{', ' if i else ''}{json.dumps(name)}: "
        if tensor["dtype"] != "string":
            text += json.dumps(_filled(tensor, _shape(tensor["shape"])))
            continue
        stem = name.removesuffix("_bytes")
        file = "photo.jpg" if stem == "image" else f"{stem}.png"
        before = text + '[{"b64": "'
        commands += [f"printf %s {shlex.quote(before)}", f"base64 < {shlex.quote(file)} | tr -d '\\n'"]
        text = '"}]'
    end = text + "}}"
    return [*commands, f"printf %s {shlex.quote(end)}"]


def _shape(shape: list[int | None]) -> tuple[int, ...]:
    """A shape with numbers for free sides: one small image, gray if the channels are free."""
    last = len(shape) - 1
    return tuple(side or (1 if i == 0 or (i == last and last == 3) else SIDE) for i, side in enumerate(shape))


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def _value(tensor: Mapping[str, Any]) -> float | int:
    return 0.5 if tensor["dtype"].startswith("float") else 1


def _filled(tensor: Mapping[str, Any], shape: tuple[int, ...]) -> Any:
    filled: Any = _value(tensor)
    for side in reversed(shape):
        filled = [filled] * side
    return filled


def _expression(tensor: Mapping[str, Any], shape: tuple[int, ...]) -> str:
    """A Python expression for an array of one value."""
    made = json.dumps(_value(tensor))
    for side in reversed(shape):
        made = f"[{made}]" if side == 1 else f"[{made}] * {side}"
    return made


def _path(name: str, version: int | None = None) -> str:
    return f"/v1/models/{quote(name, safe='')}" + (f"/versions/{version}" if version is not None else "")


# -- the page ---------------------------------------------------------------------------------------------------------

_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; max-width: 58rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; } h2 { margin: 2rem 0 0; font-size: 1.2rem; } h3 { margin: 1rem 0 0; font-size: 1rem; }
p, ul { margin: .3rem 0; }
pre { margin: .3rem 0; padding: .6rem; border: 1px solid #8886; border-radius: .4rem; white-space: pre-wrap;
  font-size: .85rem; }
"""


def page(content: Mapping[str, Any]) -> str:
    """The overview as HTML."""
    parts = [
        "<h1>cnnzoo serve</h1>",
        "<p>The models below are answered by the REST API of TensorFlow Serving, to try exports. "
        f'<a href="{content["health"]}">Health</a>, <a href="{content["metrics"]}">metrics</a>; '
        "this page as JSON: <code>curl -H 'Accept: application/json'</code>.</p>",
        *map(_section, content["models"]),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>cnnzoo serve</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        "<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _section(model: Mapping[str, Any]) -> str:
    head = f"<h2>{escape(model['name'])}, version {model['version']}: {model['state']}</h2>"
    links = f'<a href="{escape(model["status"])}">status</a>'
    if "error" in model:
        return f"{head}\n<p>{escape(model['error'])}; {links}</p>"
    links += f', <a href="{escape(model["metadata"])}">metadata</a>'
    signatures = "\n".join(_signature(name, about) for name, about in model["signatures"].items())
    return f"{head}\n<p>{escape(model['model'])}; {links}</p>\n{signatures}"


def _signature(name: str, about: Mapping[str, Any]) -> str:
    def listed(tensors: Mapping[str, Any]) -> str:
        return "; ".join(f"<code>{escape(key)}</code>: {escape(each['description'])}" for key, each in tensors.items())

    return (
        f"<h3>{escape(name)}</h3>\n<p>{escape(about['description'])}.</p>\n"
        f"<ul><li>takes {listed(about['inputs'])}</li><li>gives {listed(about['outputs'])}</li></ul>\n"
        f"<pre>{escape(about['curl'])}</pre>"
    )
