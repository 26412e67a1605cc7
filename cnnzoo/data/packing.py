"""Packing of a folder of pictures into shards; see `cnnzoo.data.packed` for the files."""

import json
import shutil
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from cnnzoo.data.folder_rows import stamp_of
from cnnzoo.data.folders import Files, is_divided, layouts, whole_files
from cnnzoo.data.packed import FORMAT, MANIFEST, check_installed
from cnnzoo.data.pictures import MOVE_AWAY, attempted, check_none
from cnnzoo.imaging.arrays import fit_to
from cnnzoo.imaging.files import png_bytes, read_image
from cnnzoo.utils.atomic_files import locked, publish, sha256, write_json

RECORDS = 4096  # of a shard, at most
BYTES = 1 << 28  # of the files in a shard, about, at most
BATCH = 64  # pictures that are encoded before they are written
WRITER = "group_size:1,uncompressed"  # pictures are compressed already, and each is read alone

Progress = Callable[[int, int], None]  # of (done, total)


def build(
    folder: str | Path, out: str | Path, size: tuple[int, int] | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Packs the pictures of a folder into shards, which `cnnzoo.train` and `cnnzoo.data.load` take as they do a folder.

    All pictures are decoded once, so that none fails later. A stopped build resumes at the next shard, if the
    folder and the size are the same. It is made beside `out` and renamed at the end.

    Args:
        folder: As in `cnnzoo.data.load`.
        out: The folder to make.
        size: (height, width) to fit the pictures to, by `fit_to`, stored as PNG; None keeps the files as they are.
        progress: Called with (done, total) pictures.

    Returns:
        The manifest.

    Raises:
        ModuleNotFoundError: The package array_record is not installed.
        ValueError: `folder` has no pictures, or one that cannot be read; `out` exists; or another process builds it.
    """
    check_installed()
    folder, out = Path(folder), Path(out)
    if out.exists():
        raise ValueError(f"`out` must be a new folder. Received: {out}, which exists")
    if not folder.is_dir():
        raise ValueError(f"`folder` must be a folder of pictures. Received: {folder}")
    splits, classes = {}, whole_files(folder, "train")[1]
    for split in ("train", "test") if is_divided(folder) else ("train",):
        splits[split] = whole_files(folder, split)[0]
        if not splits[split]:
            raise ValueError(f"Images must be {layouts(folder)}. Received: none for {split!r}")
    files = [path for found in splits.values() for path, _ in found]
    plan = {"files": stamp_of(files, folder), "size": list(size) if size else None}
    aside = out.absolute().with_name(f".{out.name}.building")
    aside.mkdir(parents=True, exist_ok=True)
    with locked(aside):
        done = _begun(aside, plan)
        manifest: dict[str, Any] = {"format": FORMAT, "classes": list(classes), "size": plan["size"], "splits": {}}
        packed = 0
        for split, found in splits.items():
            shards = manifest["splits"][split] = []
            for number, part in enumerate(_parts(found)):
                name = f"{split}-{number:05}.array_record"
                if name not in done:
                    done[name] = _shard(aside / name, part, size, packed, len(files), progress)
                    write_json(aside / "begun.json", {"plan": plan, "shards": done})
                shards.append(done[name])
                packed += len(part)
                if progress is not None:
                    progress(packed, len(files))
        write_json(aside / MANIFEST, manifest)
        (aside / "begun.json").unlink()
    (aside / ".lock").unlink(missing_ok=True)
    publish(aside, out.absolute())
    return manifest


def _begun(aside: Path, plan: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The whole shards of a build of the same plan that was stopped, by file name; others are deleted."""
    try:
        begun = json.loads((aside / "begun.json").read_text("utf-8"))
        shards = begun["shards"] if begun["plan"] == plan else {}
        whole = {name: shard for name, shard in shards.items() if sha256(aside / name) == shard["sha256"]}
    except (OSError, ValueError, KeyError, TypeError):
        whole = {}
    for path in aside.iterdir():
        if path.name not in (*whole, ".lock", "begun.json"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return whole


def _parts(files: Files) -> Iterator[Files]:
    """The files of each shard."""
    part: Files = []
    taken = 0
    for path, label in files:
        size = path.stat().st_size
        if part and (len(part) == RECORDS or taken + size > BYTES):
            yield part
            part, taken = [], 0
        part.append((path, label))
        taken += size
    yield part


def _shard(
    path: Path, files: Files, size: tuple[int, int] | None, before: int, total: int, progress: Progress | None
) -> dict[str, Any]:
    """Writes a shard; returns its entry in the manifest.

    Raises:
        ValueError: A picture cannot be read.
    """
    from array_record.python.array_record_module import ArrayRecordWriter

    aside = path.with_name(f".{path.name}")
    writer = ArrayRecordWriter(str(aside), WRITER)
    try:
        for start in range(0, len(files), BATCH):
            batch = [file for file, _ in files[start : start + BATCH]]
            records: dict[int, bytes] = {}

            def encode(i: int, batch: list[Path] = batch, records: dict[int, bytes] = records) -> None:
                records[i] = _record(batch[i], size)

            check_none(attempted(encode, len(batch)), MOVE_AWAY)
            for i in range(len(batch)):
                writer.write(records[i])
            if progress is not None:
                progress(before + start + len(batch), total)
    finally:
        writer.close()
    publish(aside, path)
    labels = [[label, len(list(group))] for label, group in groupby(label for _, label in files)]
    about = {"file": path.name, "records": len(files), "bytes": path.stat().st_size, "labels": labels}
    return {**about, "sha256": sha256(path)}


def _record(path: Path, size: tuple[int, int] | None) -> bytes:
    raw = path.read_bytes()
    image = read_image(raw, name=str(path))
    return raw if size is None else png_bytes(fit_to(image[None], (*size, image.shape[2]))[0])
