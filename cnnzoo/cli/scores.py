"""Tables of scores, with their protocols below."""

from collections.abc import Iterable

from cnnzoo.metrics.scores import Score
from cnnzoo.utils.terminal import print_table, print_text

FEW = 7  # scores that are named one by one, at most


def print_scores(scores: Iterable[Score], title: str = "") -> None:
    """Prints a row for each score with its interval, and below them the protocols without hashes."""
    found = list(scores)
    rows = [(score.name, str(score), interval(score), str(score.n)) for score in found]
    print_table(title, ("score", "value", "95 % interval", "images"), rows, cut=0)
    print()
    shared: dict[str, list[str]] = {}  # scores by part of the protocol
    for score in found:
        for key, value in score.protocol.items():
            if "sha256" not in key and key != "interval":
                shared.setdefault(f"{key}: {value}", []).append(score.name)
    groups: dict[tuple[str, ...], list[str]] = {}
    for part, names in shared.items():
        groups.setdefault(tuple(names), []).append(part)
    for owners, parts in groups.items():
        named = ", ".join(owners) if len(owners) <= FEW else f"{', '.join(owners[:3])} and {len(owners) - 3} more"
        print_text(", ".join(parts), "all: " if len(owners) == len(found) else f"{named}: ", 2)


def interval(score: Score) -> str:
    """The confidence interval as text, or ""."""
    return f"{score.interval[0]:.5g} to {score.interval[1]:.5g}" if score.interval else ""
