"""Formats rows for the terminal, and as the tables and the chart of a page."""

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- begin: benchmarks/speed.py -->", "<!-- end: benchmarks/speed.py -->"
PEERS = {  # {key in a row: column title}
    "keras": "Keras",
    "torch": "PyTorch",
    "graph": "bare graph",
    "step": "bare step",
    "onnxruntime": "onnxruntime",
    "openvino": "OpenVINO",
    "litert": "LiteRT",
    "opencv": "OpenCV",
    "tensorflow": "importing TensorFlow",
    "other": "version 0.1.0",
}
Row = Mapping[str, Any]


def line(key: str, row: Row, roof: Mapping[str, float] | None) -> str:
    """Returns a row as a line for the terminal."""
    if key == "roof":
        return "roof, GFLOP/s of a matrix product: " + ", ".join(f"{name} {value:.0f}" for name, value in row.items())
    cells = [key]
    for peer, (middle, low, high) in row.get("ratio", {}).items():
        title = f"{peer} ({row['form']})" if peer == "torch" and row.get("form") else peer
        cells.append(f"{middle:.3f} ({low:.3f}-{high:.3f}) of {title}'s {row['milliseconds'][peer]:.1f} ms")
    cells += [f"{side} {value / 1e6:.0f} MB" for side, value in row.get("peak", {}).items()]
    if "gigaflops" in row and roof:
        cells.append(f"{row['gigaflops']:.2f} GFLOP, {_share(row, roof):.0%} of the roof")
    if "loss" in row:
        cells.append(_loss(row["loss"]))
    return ", ".join(cells) + (" (loaded)" if row.get("loaded") else "")


def _share(row: Row, roof: Mapping[str, float]) -> float:
    """Returns the speed of the zoo's step as a share of the float32 roof; it can exceed 1 in bfloat16."""
    return row["gigaflops"] / row["milliseconds"]["zoo"] * 1000 / roof["float32"]


def _loss(loss: Row) -> str:
    return f"{loss['zoo']:.4g} / {loss['keras']:.4g} ± {loss['spread']:.2g} after {loss['steps']}"


def write(rows: Mapping[str, Row], page: Path) -> None:
    """Writes the tables between the markers of a page, and the chart to `pictures/speed.png` in its folder.

    Raises:
        SystemExit: The page has no markers.
    """
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not rest or not after:
        raise SystemExit(f"{page} must have the lines {BEGIN} and {END}")
    sections = {
        "step": lambda found: _steps(found, rows["roof"]),
        "epoch": _epochs,
        "verbs": _verbs,
        "command": _commands,
        "style": _styles,
        "memory": _memory,
    }
    parts = [_machine(rows), *(section(found) for part, section in sections.items() if (found := _of(rows, part)))]
    page.write_text(f"{before}{BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{END}{after}")
    _draw(rows, page.parent / "pictures" / "speed.png")


def _of(rows: Mapping[str, Row], part: str) -> dict[str, Row]:
    return {key.partition("/")[2]: row for key, row in rows.items() if key.startswith(f"{part}/")}


def _table(header: list[str], body: list[list[str]]) -> str:
    columns = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, columns, *body))


def _cell(row: Row, peer: str) -> str:
    if peer not in row["ratio"]:
        return ""
    middle, low, high = row["ratio"][peer]
    return f"**{middle:.2f}** ({low:.2f}-{high:.2f})"


def _used(rows: Mapping[str, Row]) -> list[str]:
    return [peer for peer in PEERS if any(peer in row["ratio"] for row in rows.values())]


def _mark(row: Row) -> str:
    return row["title"] + (" †" if row.get("loaded") else "")


def _machine(rows: Mapping[str, Row]) -> str:
    with open("/proc/cpuinfo") as file:
        names = [part.partition(":")[2].strip() for part in file if part.startswith("model name")]
    roof = rows.get("roof", {})
    speeds = " and ".join(f"{value:.0f} GFLOP/s in {name}" for name, value in roof.items())
    versions = []
    for package in ("tensorflow", "keras", "torch", "onnxruntime", "openvino"):
        try:
            versions.append(f"{package} {_version(package)}")
        except ModuleNotFoundError:
            continue
    machine = f"Measured on {len(names)} cores of {names[0]} ({platform.system()}), {', '.join(versions)}."
    return machine + (f" The roof, a matrix product by TensorFlow, is {speeds}." if roof else "")


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


def _steps(found: Mapping[str, Row], roof: Mapping[str, float]) -> str:
    peers = _used(found)
    header = ["a training step", *[f"of {PEERS[peer]}'s time" for peer in peers], "ms", "GFLOP", "of the roof"]
    header.append("loss after N steps: zoo / Keras ± seeds")
    body = []
    for row in found.values():
        cells = [_mark(row), *[_cell(row, peer) for peer in peers], f"{row['milliseconds']['zoo']:.1f}"]
        cells += [f"{row['gigaflops']:.2f}", f"{_share(row, roof):.0%}"]
        loss = row.get("loss")
        cells.append("" if loss is None else _loss(loss) + (f"; {loss['alike']}" if loss["alike"] else ""))
        body.append(cells)
    forms = {row["form"] for row in found.values() if row.get("form")}
    note = f"\n\nPyTorch's fastest forms were {'; '.join(sorted(forms))}." if forms else ""
    return "## Training steps\n\n" + _table(header, body) + note


def _epochs(found: Mapping[str, Row]) -> str:
    body = [[f"`{row['title']}`", _cell(row, "step"), f"{row['milliseconds']['step']:.1f}"] for row in found.values()]
    return "## Epochs\n\n" + _table(["recipe", "`fit` over the bare step", "ms a step"], body)


def _verbs(found: Mapping[str, Row]) -> str:
    peers = _used(found)
    header = ["verb", "size", "ms", *[f"of {PEERS[peer]}" for peer in peers]]
    body = [
        [_mark(row), row["size"], f"{row['milliseconds']['zoo']:.1f}", *[_cell(row, peer) for peer in peers]]
        for row in found.values()
    ]
    return "## Verbs\n\n" + _table(header, body)


def _commands(found: Mapping[str, Row]) -> str:
    peers = _used(found)
    header = ["command", "seconds", *[f"of {PEERS[peer]}" for peer in peers], "peak MB"]
    body = [
        [
            f"`{row['title']}`" + (" †" if row["loaded"] else ""),
            f"{row['milliseconds']['zoo'] / 1000:.2f}",
            *[_cell(row, peer) for peer in peers],
            f"{row['peak']['zoo'] / 1e6:.0f}",
        ]
        for row in found.values()
    ]
    return "## Commands, from start to file\n\n" + _table(header, body)


def _styles(found: Mapping[str, Row]) -> str:
    peers = _used(found)
    header = ["task", "loss", "seconds", *[f"of {PEERS[peer]}" for peer in peers]]
    body = [
        [
            row["title"] + ("" if row["reached"] else ", not reached"),
            f"{row['target']:.3f}",
            f"{row['seconds']['zoo']:.0f}",
        ]
        + [f"**{row['ratio'][peer][0]:.2f}**" if peer in row["ratio"] else "" for peer in peers]
        for row in found.values()
    ]
    return "## Style transfer, to the loss of 500 steps of Adam\n\n" + _table(header, body)


def _memory(found: Mapping[str, Row]) -> str:
    body = []
    for row in found.values():
        mine, theirs = row["peak"]["zoo"], next(value for side, value in row["peak"].items() if side != "zoo")
        body.append([row["title"], f"{mine / 1e6:.0f}", f"{theirs / 1e6:.0f}", f"{mine / theirs:.2f}"])
    return "## Peak memory, MB\n\n" + _table(["network", "zoo", "Keras's loop, or the bare graph", "ratio"], body)


def _draw(rows: Mapping[str, Row], path: Path) -> None:
    """Writes a bar chart of the time ratios of training steps; shorter is faster."""
    from matplotlib.figure import Figure

    found = _of(rows, "step")
    if not found:
        return
    peers = [peer for peer in ("keras", "torch") if any(peer in row["ratio"] for row in found.values())]
    figure = Figure(figsize=(8, 0.5 + 0.42 * len(found)), layout="constrained")
    axes = figure.subplots()
    height = 0.8 / len(peers)
    for i, peer in enumerate(peers):
        drawn = [(place, row["ratio"][peer]) for place, row in enumerate(found.values()) if peer in row["ratio"]]
        places = [place + (i - (len(peers) - 1) / 2) * height for place, _ in drawn]
        middles = [ratio[0] for _, ratio in drawn]
        errors = [[r[0] - r[1] for _, r in drawn], [r[2] - r[0] for _, r in drawn]]
        label = "over the usual Keras loop" if peer == "keras" else "over the fastest PyTorch loop"
        axes.barh(places, middles, height, xerr=errors, label=label, error_kw={"elinewidth": 0.8})
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(found)), [row["title"] for row in found.values()])
    axes.invert_yaxis()
    axes.set_xlabel("time of a training step of the zoo as a ratio; shorter is faster")
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=120)
