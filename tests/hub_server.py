"""A local server with the part of the Hugging Face Hub API that huggingface_hub uses."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

Files = dict[str, bytes]


class Hub:
    """Repositories, each a list of commits.

    Attributes:
        commits: For each repository, pairs of a commit name and its files, newest last.
        asked: The method and path of each request.
        altered: Bytes served instead of a file's content, by file name.
        status: HTTP status of every response, unless it is None.
    """

    def __init__(self) -> None:
        self.commits: dict[str, list[tuple[str, Files]]] = {}
        self.asked: list[str] = []
        self.altered: Files = {}
        self.status: int | None = None
        self.endpoint = ""

    def commit(self, repository: str, files: Files) -> str:
        """Adds a commit and returns its name."""
        commits = self.commits.setdefault(repository, [])
        name = hashlib.sha1(f"{repository} {len(commits)}".encode()).hexdigest()
        commits.append((name, files))
        return name

    def at(self, repository: str, revision: str) -> tuple[str, Files] | None:
        """Returns the commit name and the files at a branch or a commit."""
        commits = self.commits[repository]
        if revision == "main":
            return commits[-1] if commits else ("0" * 40, {})
        return next((each for each in commits if each[0] == revision), None)


def handler(hub: Hub) -> type[BaseHTTPRequestHandler]:  # noqa: C901  (one branch for each URL)
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def answer(self, content: object = None, status: int = 200, **headers: str) -> None:
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for key, value in {"Content-Length": str(len(raw)), **headers}.items():
                self.send_header(key.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(raw)

        def missing(self, code: str) -> None:
            self.answer({"error": code}, 404, X_Error_Code=code, X_Error_Message=code)

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.asked.append(f"{self.command} {path}")
            if hub.status is not None:
                return self.answer({"error": "down"}, hub.status)
            about = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(?:revision|tree)/(.+))?", path)
            file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
            found = about or file
            if found is None or found[1] not in hub.commits:
                return self.missing("RepoNotFound")
            if (at := hub.at(found[1], found[2] or "main")) is None:
                return self.missing("RevisionNotFound")
            commit, files = at
            if about is not None and "/tree/" in path:
                return self.answer([{"type": "file", "path": n, "size": len(f), "oid": "0"} for n, f in files.items()])
            if about is not None:
                listed = [
                    {
                        "rfilename": name,
                        "size": len(content),
                        **({"lfs": _lfs(content)} if name.endswith(".h5") else {}),
                    }
                    for name, content in files.items()
                ]
                return self.answer({"id": found[1], "sha": commit, "siblings": listed, "private": False, "tags": []})
            if file[3] not in files:
                return self.missing("EntryNotFound")
            content = files[file[3]]
            etag = f'"{hashlib.sha1(content).hexdigest()}"'
            return self.answer(hub.altered.get(file[3], content), ETag=etag, X_Repo_Commit=commit)

        do_HEAD = do_GET  # noqa: N815

        def do_POST(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.asked.append(f"POST {path}")
            body = self._body()
            if hub.status is not None:
                return self.answer({"error": "no"}, hub.status)
            if path == "/api/validate-yaml":
                return self.answer({"errors": [], "warnings": []})
            if path == "/api/repos/create":
                asked = json.loads(body)
                name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
                hub.commits.setdefault(name, [])
                return self.answer({"url": f"{hub.endpoint}/{name}"})
            repository, action = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit)/main", path).groups()
            if action == "preupload":
                names = [each["path"] for each in json.loads(body)["files"]]
                regular = {"uploadMode": "regular", "shouldIgnore": False}
                return self.answer({"files": [{"path": name, **regular} for name in names]})
            files = dict(hub.at(repository, "main")[1])
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                elif line["key"] == "deletedFile":
                    del files[line["value"]["path"]]
            commit = hub.commit(repository, files)
            url = f"{hub.endpoint}/{repository}/commit/{commit}"
            return self.answer({"success": True, "commitOid": commit, "commitUrl": url})

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

    return Handler


def _lfs(content: bytes) -> dict[str, object]:
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "pointerSize": 130}


@contextmanager
def serving(hub: Hub) -> Iterator[str]:
    """Serves a hub and yields its endpoint."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(hub))
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub.endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def in_place(monkeypatch: Any, cache: Path) -> Iterator[Hub]:
    """Replaces the Hugging Face Hub with an empty local server, and sets its cache folder."""
    made = Hub()
    with serving(made) as endpoint:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
        template = "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE"
        monkeypatch.setattr(template, endpoint + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
        yield made
