"""Atomic file writes."""

import os
import stat
import sys

import pytest

from cnnzoo.utils.atomic_files import write_bytes, write_json, write_text

posix = pytest.mark.skipif(sys.platform == "win32", reason="permissions and links are those of POSIX")


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@posix
@pytest.mark.parametrize("mask", [0o077, 0o022, 0o002])
def test_atomic_write_respects_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_bytes(tmp_path / "bytes", b"new")
        write_text(tmp_path / "text", "new")
    finally:
        os.umask(before)
    assert mode(tmp_path / "bytes") == mode(tmp_path / "text") == 0o666 & ~mask


@posix
@pytest.mark.parametrize("own", [0o600, 0o440])
def test_atomic_write_preserves_permissions(tmp_path, own):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(own)
    write_bytes(path, b"new")
    assert mode(path) == own and path.read_bytes() == b"new"


@posix
def test_atomic_write_follows_symbolic_links(tmp_path):
    (tmp_path / "folder").mkdir()
    for name in ("there", "not_yet"):
        (tmp_path / name).symlink_to(os.path.join("folder", name))
    (tmp_path / "folder" / "there").write_bytes(b"old")
    for name in ("there", "not_yet"):
        write_bytes(tmp_path / name, b"new")
        assert (tmp_path / name).is_symlink() and (tmp_path / "folder" / name).read_bytes() == b"new"
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == ["not_yet", "there"]


@posix
def test_atomic_write_syncs_file_and_folder_around_rename(tmp_path, monkeypatch):
    path, done = tmp_path / "file", []
    replace = os.replace

    def fsync(descriptor):
        done.append("file" if stat.S_ISREG(os.fstat(descriptor).st_mode) else "folder")

    def renamed(*names):
        done.append("name")
        replace(*names)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", renamed)
    write_json(path, {"ä": 1})
    assert done == ["file", "name", "folder"] and path.read_text(encoding="utf-8") == '{\n "ä": 1\n}\n'


def test_atomic_write_failure_preserves_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(*names):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left") as error:
        write_bytes(path, b"new")
    assert (error.value.errno, error.value.filename) == (28, str(path))
    with pytest.raises(NotADirectoryError) as error:  # when the file aside is opened
        write_bytes(path / "below", b"new")
    assert error.value.filename == str(path / "below")
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [("file", b"old")]
