"""Checkpoints of the Hugging Face Hub, by `hf://USER/NAME` or `hf://USER/NAME@REVISION`.

A repository holds the files of a checkpoint folder and a README. The card names the size and the SHA-256 of each file,
so that a revision of the repository pins all of them. Files are kept in the cache of huggingface_hub.

Bytes from a repository are untrusted: sizes are compared with the card before anything is downloaded, hashes before
anything is read, and contents that would decode to more bytes than the file has are refused.
"""

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cnnzoo.checkpoints.card import CARD, GOLDEN, WEIGHTS, Checkpoint, CheckpointError, open_checkpoint
from cnnzoo.checkpoints.shipped import list_checkpoints
from cnnzoo.checkpoints.store import verify
from cnnzoo.data.network import is_reachable
from cnnzoo.utils.caller import warn
from cnnzoo.utils.optional import require

PREFIX = "hf://"
FORM = re.compile(rf"{PREFIX}([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
COMMIT = re.compile(r"[0-9a-f]{40}")
NAME = re.compile(r"\w+\.\w[\w.-]*")  # of a card: "arch.tag", also the name of a folder
LARGEST_CARD = 2**22  # bytes
LARGEST = 2**30  # bytes of all files of a checkpoint
SHARED = 2  # the bytes of decoded weights over those of their file, at most: a network and its equal average
TIMEOUT = 5.0  # seconds for an answer of the Hub


class Address(NamedTuple):
    """The parts of a name.

    Attributes:
        repository: "USER/NAME".
        revision: A branch, a tag or a commit.
    """

    repository: str
    revision: str

    def __str__(self) -> str:
        return f"{PREFIX}{self.repository}@{self.revision}"


def is_remote(name: object) -> bool:
    """Whether a name is one of the Hub."""
    return isinstance(name, str) and name.startswith(PREFIX)


def address_of(name: str) -> Address:
    """The parts of a name.

    Raises:
        ValueError: It is malformed.
    """
    found = FORM.fullmatch(name)
    if found is None:
        raise ValueError(f"A model of the Hub must be {PREFIX}USER/NAME[@REVISION]. Received: {name!r}")
    return Address(found[1], found[2] or "main")


def fetched(name: str) -> Path:
    """The folder of a checkpoint of the Hub, downloaded unless the cache has it.

    A name whose revision is a commit needs no network once it is in the cache. For others the cache is a fallback,
    with a warning unless `HF_HUB_OFFLINE` is set. The last part of the folder is the commit.

    Raises:
        ModuleNotFoundError: The package huggingface_hub is not installed.
        CheckpointError: The Hub cannot be reached, and the cache does not have it; there is no such repository or
            revision, or it holds no checkpoint of this format; or a file is too large, missing or altered.
        ValueError: The name is malformed.
    """
    require(f"{PREFIX}USER/NAME", "hub", "huggingface_hub")
    from huggingface_hub import constants

    address = address_of(name)
    with _named(name):
        if COMMIT.fullmatch(address.revision) and (found := _in_cache(address)):
            return _checked(found)
        if not (why := silence()):
            try:
                return _checked(_download(address))
            except ConnectionError as error:
                why = str(error)
        if (found := _in_cache(address)) is None:
            raise CheckpointError(
                f"{why}, and it is not in the cache, {constants.HF_HUB_CACHE}. Available here: "
                f"{', '.join(list_checkpoints())}"
            )
        if not constants.is_offline_mode():
            warn(f"{name}: {why}; its copy of {found.path.name[:7]} in the cache is taken")
        return _checked(found)


def pinned(name: str) -> str:
    """A name with the commit that its revision is at now, downloaded as by `fetched`."""
    return str(address_of(name)._replace(revision=fetched(name).name))


def silence() -> str:
    """Why the Hub is not to be asked, found out in half a second; "" if it is."""
    from huggingface_hub import constants

    if constants.is_offline_mode():
        return "offline mode is on (HF_HUB_OFFLINE)"
    parts = urlsplit(constants.ENDPOINT)
    reached = is_reachable(parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443))
    return "" if reached else f"{constants.ENDPOINT} cannot be reached"


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Begins the errors of a checkpoint with its name on the Hub."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{name}: {error}") from None


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turns the errors of huggingface_hub into those of checkpoints; ConnectionError if the Hub does not answer."""
    from huggingface_hub import errors

    try:
        yield
    except CheckpointError:
        raise
    except errors.GatedRepoError:
        raise CheckpointError(f"{what} is for users who were granted access; log in by: hf auth login") from None
    except errors.RepositoryNotFoundError:
        raise CheckpointError(f"there is no public {what}; for a private one log in by: hf auth login") from None
    except errors.LocalTokenNotFoundError:
        raise CheckpointError(f"{what} needs a token; log in by: hf auth login") from None
    except errors.RevisionNotFoundError:
        raise CheckpointError(f"{what} must have that revision. Received: one that it does not have") from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise CheckpointError(f"{what} may not be written or read by you; log in by: hf auth login") from None
        if status >= 500 or status == 429:
            raise ConnectionError(f"the Hub answers with status {status}") from None
        raise CheckpointError(f"{what}: {_line(error)}") from None
    except Exception as error:  # those of the client of HTTP, which change with the version of huggingface_hub
        raise ConnectionError(f"the Hub cannot be asked ({_line(error)})") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _in_cache(address: Address) -> Checkpoint | None:
    """The checkpoint in the cache, if all its files are there."""
    from huggingface_hub import try_to_load_from_cache

    file = try_to_load_from_cache(address.repository, CARD, revision=address.revision)
    if not isinstance(file, str):
        return None
    found = open_checkpoint(Path(file).parent)
    return found if all((found.path / name).exists() for name in found.card["files"]) else None


def _download(address: Address) -> Checkpoint:
    """Downloads the files of a checkpoint, once their sizes and hashes on the Hub are those of the card."""
    from huggingface_hub import HfApi

    where = f"model {address.repository!r} on the Hub"
    api = HfApi()
    with asking(where):
        info = api.model_info(address.repository, revision=address.revision, files_metadata=True, timeout=TIMEOUT)
    listed = {each.rfilename: each for each in info.siblings or ()}
    if CARD not in listed:
        names = ", ".join(sorted(listed)[:8]) or "no files"
        raise CheckpointError(f"the repository must be one of a cnnzoo checkpoint, with {CARD}. Received: {names}")

    def get(name: str, revision: str) -> Path:
        with asking(where):
            return Path(api.hf_hub_download(address.repository, name, revision=revision, etag_timeout=TIMEOUT))

    if not 0 < (size := listed[CARD].size or 0) <= LARGEST_CARD:
        raise CheckpointError(f"{CARD} must have at most {LARGEST_CARD} bytes. Received: {size}")
    found = open_checkpoint(get(CARD, address.revision).parent)  # by this name, for which the cache keeps the commit
    if found.path.name != info.sha:
        raise CheckpointError("the repository was changed during the download; try again")
    if NAME.fullmatch(found.name) is None:
        raise CheckpointError(f"{CARD}: `name` must be arch.tag. Received: {found.name!r}")
    entries = found.card["files"]
    if not 0 < (total := sum(entry["bytes"] for entry in entries.values())) <= LARGEST:
        raise CheckpointError(f"its files must have at most {LARGEST} bytes. Received: {total}")
    for name, entry in entries.items():
        if name not in listed:
            raise CheckpointError(f"{name} is missing")
        _compare(name, entry, listed[name])
    for name in entries:
        get(name, found.path.name)
    return found


def _compare(name: str, entry: dict[str, Any], there: Any) -> None:
    """Compares a file on the Hub, by its metadata there, with the entry of a card."""
    if there.size != entry["bytes"]:
        raise CheckpointError(f"{name} must have {entry['bytes']} bytes, as the card says. Received: {there.size}")
    if there.lfs is not None and there.lfs.sha256 != entry["sha256"]:
        raise CheckpointError(f"{name} must have the hash {entry['sha256']} of the card. Received: {there.lfs.sha256}")


def _checked(found: Checkpoint) -> Path:
    """The folder of a checkpoint whose files have the hashes of the card, and decode to no more than they hold."""
    verify(found)
    for name, decoded in ((WEIGHTS, _weights_bytes), (GOLDEN, _golden_bytes)):
        file = found.path / name
        limit = SHARED * file.stat().st_size if name == WEIGHTS else LARGEST
        try:
            size = decoded(file)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise CheckpointError(f"{file} cannot be read: {error}") from None
        if size > limit:
            raise CheckpointError(f"{file} must decode to at most {limit} bytes. Received: {size}")
    return found.path


def _weights_bytes(file: Path) -> int:
    """The bytes of all arrays in a weights file, once for each name. Keras itself refuses links to other files."""
    import h5py

    sizes: list[int] = []

    def add(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            sizes.append(item.nbytes * h5py.h5o.get_info(item.id).rc)

    with h5py.File(file) as content:
        content.visititems(add)
    return sum(sizes)


def _golden_bytes(file: Path) -> int:
    with zipfile.ZipFile(file) as archive:
        return sum(entry.file_size for entry in archive.infolist())
