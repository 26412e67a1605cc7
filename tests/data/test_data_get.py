"""Downloads of public image sets, from a local server instead of the network."""

import gzip
import hashlib
import http.server
import io
import re
import socket
import subprocess
import sys
import tarfile
import threading
import zipfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

import cnnzoo
import cnnzoo.data
from cnnzoo import cli
from cnnzoo.data import catalog, download, photograph_rows, photographs
from cnnzoo.data.paintings import paintings
from cnnzoo.data.public import Archive, Packed, PublicSet, Single, listing
from cnnzoo.imaging.files import read_image
from cnnzoo.recipes import list_recipes, recipe

TOP = "Things-0123"


def png(value: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((8, 9, 3), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


PICTURES = {f"img_{i}.png": png(20 * i) for i in range(5)}


def packed(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def inside(pictures: dict[str, bytes]) -> dict[str, bytes]:
    """Returns the files of an archive: the pictures and unrelated files."""
    wanted = {f"{TOP}/Test/{name.replace('.png', '_GT.png')}": data for name, data in pictures.items()}
    return {f"{TOP}/README.md": b"text", f"{TOP}/Test/Thumbs.db": b"no", f"{TOP}/Test/x_small.png": png(1), **wanted}


def tarred(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo(f"{TOP}/Test/link_GT.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return file.getvalue()


@pytest.fixture
def server():
    """A local HTTP server with configurable files and faults; `asked` lists the requested paths."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            if (data := self.server.files.get(self.path)) is None:
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: self.server.most])

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.files, server.asked, server.most = {"/set.zip": packed(inside(PICTURES))}, [], None
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNZOO_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def known(server, folder, monkeypatch):
    """A catalog of two public sets: set5, five tiny pictures in an archive, and paintings, two single files."""
    base = f"http://127.0.0.1:{server.server_port}"
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in PICTURES.items()}
    content = Packed(
        Archive(f"{base}/set.zip", "set.zip", TOP, 2000),
        "Test",
        "_GT.png",
        len(PICTURES),
        sum(map(len, PICTURES.values())),
        hashlib.sha256(listing(digests).encode()).hexdigest(),
    )
    singles = tuple(
        Single(name, f"{base}/{name}", len(PICTURES[name]), digests[name]) for name in ("img_1.png", "img_2.png")
    )
    server.files |= {f"/{each.name}": PICTURES[each.name] for each in singles}
    sets = {
        "set5": PublicSet("set5/test", "hr", content),
        "paintings": PublicSet("style/train/style", "", singles),
    }
    monkeypatch.setattr(catalog, "PUBLIC_SETS", sets)
    monkeypatch.setattr(download, "PUBLIC_SETS", sets)
    return sets


def left(folder: Path) -> set[str]:
    """Returns the files below a folder, except the lock and the kept set.zip."""
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name not in (".lock", "set.zip")}


def test_data_get_downloads_archive_set_only_once(server, folder, known, capsys):
    assert cli.main(["data", "get", "set5"]) == 0
    assert capsys.readouterr().out == f"set5: 5 pictures in {folder / 'set5' / 'test'}\n"
    assert left(folder) == {f"set5/test/hr/{name}" for name in PICTURES}
    found = photographs.photographs("set5", "test")
    assert [image[0, 0, 0] for image in found.images] == [0, 20, 40, 60, 80]
    told = []
    assert cnnzoo.data.get("set5", lambda *at: told.append(at)) == folder / "set5" / "test"
    assert server.asked == ["/set.zip"] and told == []


def test_data_get_progress_ends_at_total_size(server, known):
    told = []
    cnnzoo.data.get("set5", lambda *at: told.append(at))
    assert told[-1] == (len(server.files["/set.zip"]),) * 2
    told = []
    cnnzoo.data.get("paintings", lambda *at: told.append(at))
    assert told[-1] == (known["paintings"].bytes,) * 2


def test_data_get_reuses_kept_archive_offline(server, folder, known):
    cnnzoo.data.get("set5")
    for path in sorted((folder / "set5").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    server.files = {}
    cnnzoo.data.get("set5")
    assert len(left(folder)) == 5


def test_data_get_rejects_altered_single_file(server, folder, known, capsys):
    server.files["/img_2.png"] = png(99)
    assert cli.main(["data", "get", "paintings"]) == 2
    assert "img_2.png has changed: other bytes" in capsys.readouterr().err
    assert left(folder) == set()
    server.files["/img_2.png"] = PICTURES["img_2.png"]
    assert cli.main(["data", "get", "paintings"]) == 0
    assert left(folder) == {"style/train/style/img_1.png", "style/train/style/img_2.png"}


def test_data_get_adds_missing_files_next_to_user_files(server, folder, known):
    mine = folder / "style" / "train" / "style" / "mine.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(png(7))
    cnnzoo.data.get("paintings")
    (mine.parent / "img_1.png").unlink()
    server.asked.clear()
    cnnzoo.data.get("paintings")
    assert server.asked == ["/img_1.png"] and mine.read_bytes() == png(7)
    assert set(paintings()) == {"mine", "img_1", "img_2"}


SAME_SIZE = {**PICTURES, "img_4.png": PICTURES["img_4.png"][:-1] + b"!"}


@pytest.mark.parametrize(
    "data, reason",
    [
        (packed(inside(SAME_SIZE)), "other bytes"),
        (packed(inside({**PICTURES, "img_5.png": b"more"})), "holds more than 5 files"),
        (packed(inside(dict(list(PICTURES.items())[:4]))), "holds 4 files"),
        (packed({**inside(PICTURES), f"{TOP}/Test/../../../evil_GT.png": b"evil"}), "a file named '../../../evil.png'"),
        (packed({**inside(PICTURES), f"{TOP}/Test//tmp/evil_GT.png": b"evil"}), "a file named '/tmp/evil.png'"),
        (packed({**inside(PICTURES), f"{TOP}/Test/.hidden_GT.png": b"evil"}), "a file named '.hidden.png'"),
        (packed(inside({**PICTURES, "img_4.png": bytes(10**7)})), "holds more than 5 files"),  # a zip bomb of 10 MB
        (b"no archive at all", "not a zip file"),
        (packed(inside(PICTURES))[:700], "not a zip file"),
        (bytes(100_000), "more than"),
    ],
    ids=["bytes", "more", "fewer", "upwards", "absolute", "hidden", "bomb", "text", "cut", "endless"],
)
def test_data_get_rejects_unexpected_zip_and_leaves_no_files(data, reason, server, folder, known, capsys):
    good, server.files["/set.zip"] = server.files["/set.zip"], data
    assert cli.main(["data", "get", "set5"]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1
    assert reason in told.err and "has changed" in told.err and "set5/test/hr yourself" in told.err
    assert left(folder.parent) == set()
    server.files["/set.zip"] = good  # the bad archive is not kept
    assert cli.main(["data", "get", "set5"]) == 0


def test_data_get_restarts_broken_download(server, folder, known, capsys):
    server.most = 500
    assert cli.main(["data", "get", "set5"]) == 2
    assert "broke off" in capsys.readouterr().err
    assert left(folder) == set() and not (folder / "set5").exists()
    server.most = None
    assert cli.main(["data", "get", "set5"]) == 0


def test_data_get_cleans_up_after_ctrl_c_and_killed_downloads(server, folder, known):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cnnzoo.data.get("set5", stop)
    assert left(folder) == set()
    (folder / "downloads" / "0123.tmp").mkdir()
    (folder / "downloads" / "0123.tmp" / "img_0.png").write_bytes(b"half")
    (folder / "downloads" / "tmpabcd").write_bytes(b"half")
    cnnzoo.data.get("set5")
    assert left(folder) == {f"set5/test/hr/{name}" for name in PICTURES}


def test_data_get_explains_manual_download_if_server_fails(server, folder, known, capsys):
    server.files = {}
    assert cli.main(["data", "get", "set5"]) == 2
    assert "answers 404" in capsys.readouterr().err
    with socket.socket() as free:  # bound, but not listening
        free.bind(("127.0.0.1", 0))
        archive = replace(known["set5"].content.archive, url=f"http://127.0.0.1:{free.getsockname()[1]}/set.zip")
        known["set5"] = replace(known["set5"], content=replace(known["set5"].content, archive=archive))
        assert cli.main(["data", "get", "set5"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "127.0.0.1 cannot be reached" in told
    assert f"put its 5 pictures into {folder / 'set5' / 'test' / 'hr'} yourself: those of Test in" in told


def test_data_get_preserves_existing_user_files(server, folder, known, capsys):
    mine = folder / "set5" / "test" / "mine" / "a.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(png(3))
    assert cli.main(["data", "get", "set5"]) == 2
    assert "holds 1 of the 5 pictures of set5; move it away" in capsys.readouterr().err
    assert server.asked == []
    mine.unlink()
    (folder / "set5" / "test" / "hr").mkdir()
    (folder / "set5" / "test" / "hr" / "notes.txt").write_text("mine")
    assert cli.main(["data", "get", "set5"]) == 2
    assert "files that are no pictures" in capsys.readouterr().err
    assert (folder / "set5" / "test" / "hr" / "notes.txt").read_text() == "mine"


def test_data_get_lists_sets_with_local_availability(folder, known, capsys):
    cnnzoo.data.get("paintings")
    assert cli.main(["data", "get"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert re.search(r"set5 +5 .* no +none stated", "\n".join(rows))
    assert re.search(r"paintings +2 .* yes +public domain", "\n".join(rows))


def test_data_get_rejects_unknown_set_before_download(server, known, capsys):
    assert cli.main(["data", "get", "set5", "set6"]) == 2
    assert "The set must be one of set5, paintings" in capsys.readouterr().err
    assert server.asked == []


@pytest.fixture
def as_tgz(server, known):
    """Puts the same set5 into a .tgz archive."""
    server.files["/set.tgz"] = tarred(inside(PICTURES))
    content = known["set5"].content
    archive = replace(content.archive, url=content.archive.url.replace(".zip", ".tgz"), name="set.tgz", bytes=20_000)
    known["set5"] = replace(known["set5"], content=replace(content, archive=archive))


@pytest.mark.parametrize("on_the_way", [bytes, gzip.decompress], ids=["as it is", "unpacked by HTTP"])
def test_data_get_unpacks_tgz_archive(on_the_way, server, folder, as_tgz):
    server.files["/set.tgz"] = on_the_way(server.files["/set.tgz"])
    cnnzoo.data.get("set5")
    assert left(folder) - {"downloads/set.tgz"} == {f"set5/test/hr/{name}" for name in PICTURES}


@pytest.mark.parametrize(
    "data, reason",
    [
        (tarred({**inside(PICTURES), f"{TOP}/Test/../../../evil_GT.png": b"evil"}), "a file named '../../../evil.png'"),
        (tarred(inside({**PICTURES, "img_4.png": bytes(10**7)})), "holds more than 5 files"),
        (tarred({f"{TOP}/zeros": bytes(10**7), **inside(PICTURES)}), "it unpacks to far more"),
        (tarred(inside(PICTURES))[:300], "ended before"),
        (b"no archive at all", "has changed"),
        (gzip.compress(b"no tar" * 100), "has changed"),
        (tarred(inside(SAME_SIZE)), "other bytes"),
    ],
    ids=["upwards", "bomb", "other bomb", "cut", "text", "gzip", "bytes"],
)
def test_data_get_rejects_unexpected_tgz_and_leaves_no_files(data, reason, server, folder, as_tgz, capsys):
    server.files["/set.tgz"] = data
    assert cli.main(["data", "get", "set5"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and reason in told and "has changed" in told
    assert left(folder.parent) == set()


# -- the catalog of public sets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", catalog.PUBLIC_SETS)
def test_public_set_has_pinned_sources_hashes_and_license(name):
    known = catalog.CATALOG[name]
    content = known.files.content
    sources = [content.archive] if isinstance(content, Packed) else content
    for source in sources:
        assert urlsplit(source.url).scheme == "https"
        if "github" in source.url:
            assert re.search("/[0-9a-f]{40}", source.url), "an address that may change"
    for sha256 in [content.sha256] if isinstance(content, Packed) else [each.sha256 for each in content]:
        assert re.fullmatch("[0-9a-f]{64}", sha256)
    assert known.homepage.startswith("https://") and known.license != "not known"
    places = {"bsd100": "bsds500/val", "signs": "sign_digits/train", "paintings": "style/train/style"}
    assert known.files.folder == places.get(name, f"{name}/{known.splits[0]}")


def test_public_sets_cover_all_recipes_and_test_sets(folder):
    wanted = {part for name in list_recipes() for part in recipe(name).data.split("+")}
    by_others = {"mnist", "fashion_mnist", "cifar10", "cmaterdb", "digits", "photos"}  # TFDS and scikit-learn
    wanted = {name for name in wanted if name.partition("/")[0] not in by_others}
    assert wanted | set(catalog.TRAINING) | set(catalog.TESTING) | {"paintings"} == set(catalog.PUBLIC_SETS)
    for name in catalog.PUBLIC_SETS:
        split = "test" if name in catalog.TESTING else "train"
        read = photographs.photographs if photograph_rows.is_photographs(name) else cnnzoo.data.load
        if name != "paintings":
            with pytest.raises(cnnzoo.data.DataNotFound, match=f"cnnzoo data get {name}"):
                read(name, split)


def test_data_get_listing_imports_no_heavy_packages():
    program = (
        "import sys; from cnnzoo.cli import main; main(['data', 'get'])\n"
        "assert not {'tensorflow', 'keras', 'sklearn', 'pooch', 'requests'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


# -- example pictures --------------------------------------------------------------------------------------------------


def test_data_examples_writes_documented_files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["data", "examples"]) == 0
    assert "three.png, eight.png, photo.jpg, noisy.png, torn.png, mask.png, photos" in capsys.readouterr().out
    photograph, noisy, torn, mask = (
        read_image(Path(name)) for name in ("photo.jpg", "noisy.png", "torn.png", "mask.png")
    )
    assert photograph.shape == noisy.shape == torn.shape == (256, 256, 3) and mask.shape == (256, 256, 1)
    assert 15 < (noisy.astype(float) - photograph).std() < 25
    assert set(np.unique(mask)) == {0, 255} and (torn[mask[..., 0] == 255] == 255).all()
    assert np.abs(torn[mask[..., 0] == 0].astype(int) - photograph[mask[..., 0] == 0]).mean() < 3
    crops = cnnzoo.data.load(str(tmp_path / "photos"), "train")
    assert len(crops.images) == 128 and crops.images.shape[1:] == (64, 64, 3)  # one batch of the default size
    digits = cnnzoo.build("lenet.mnist").classify(["three.png", "eight.png"])
    assert digits.argmax(axis=1).tolist() == [3, 8]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    Path("noisy.png").unlink()
    assert cli.main(["data", "examples"]) == 2
    assert "three.png, and 210 more of the examples" in capsys.readouterr().err
    assert not Path("noisy.png").exists() and all(p.read_bytes() == b for p, b in before.items() if p.exists())
