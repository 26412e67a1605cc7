"""The memory that decoded images may take, and sizes of memory in words."""

import re
from pathlib import Path

from cnnzoo.utils.checks import check_integer

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
CGROUPS = Path("/sys/fs/cgroup")


def limit(memory: int | None) -> tuple[int, str]:
    """The most bytes of decoded images that are kept in memory, and the reason.

    Args:
        memory: The number that the user gave, >= 0; None for half of the free memory.

    Raises:
        ValueError: A negative number.
    """
    if memory is None:
        return free() // 2, "half of the free memory"
    return check_integer("memory", memory, 0), "the given limit"


def free() -> int:
    """Bytes of memory that this process can still take: what is available, within the limits of its cgroups."""
    import psutil

    return min([psutil.virtual_memory().available, *_left_in_cgroups()])


def _left_in_cgroups() -> list[int]:
    """Bytes left in each cgroup above this process that has a limit, version 2 or 1; none outside of Linux."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    left = []
    for controllers, path in (line.split(":", 2)[1:] for line in lines):
        if controllers in ("", "memory"):
            top = CGROUPS / controllers
            most, used = (
                ("memory.limit_in_bytes", "memory.usage_in_bytes") if controllers else ("memory.max", "memory.current")
            )
            here = top / path.lstrip("/")
            # Inside a container the path is that of the host, and its own files are at the top.
            for folder in {here, *here.parents, top}:
                try:
                    left.append(max(0, int((folder / most).read_text()) - int((folder / used).read_text())))
                except (OSError, ValueError):  # no such folder, or no limit ("max")
                    continue
    return left


def parsed(text: str) -> int:
    """Bytes from text such as "2GB", "500 MB", "1.5GiB" or "0".

    Raises:
        ValueError: It is none of these.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]i?B|B)?", text.strip(), re.IGNORECASE)
    if not found or (found[2] or "B").upper() not in UNITS:
        raise ValueError(f"`memory` must be a size such as 2GB or 500MB. Received: {text!r}")
    return round(float(found[1]) * UNITS[(found[2] or "B").upper()])


def in_words(number: int) -> str:
    """Bytes in three digits: "1.97 GB"."""
    unit = next((name for name in ("TB", "GB", "MB", "KB") if number >= UNITS[name]), "B")
    return f"{number / UNITS[unit]:.3g} {unit}"
