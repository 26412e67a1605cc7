"""Asking about the zoo, training and measuring."""

import argparse
import json
from typing import Any

from cnnzoo.commands.models import find
from cnnzoo.terminal import bars, print_json, print_scores, print_table, progress


def list_(asked: argparse.Namespace) -> None:
    from cnnzoo import hub, registry
    from cnnzoo.checkpoints import table

    architectures = [{"name": name, "summary": table.summary(name)} for name in registry.list_models(asked.pattern)]
    found = [hub.card(name) for name in hub.list_checkpoints(asked.pattern)]
    if not (architectures or found):
        known = [*registry.list_models(), *hub.list_checkpoints()]
        raise registry.UnknownName("architecture or checkpoint", asked.pattern, known)
    if asked.json:
        kept = ("name", "description", "task", "data", "scores", "parameters", "bytes", "licence")
        print_json({"architectures": architectures, "checkpoints": [{k: card[k] for k in kept} for card in found]})
        return
    if architectures:
        print_table("Architectures", ("name", "what it is"), [tuple(a.values()) for a in architectures])
    if found:
        rows = [
            (c["name"], c["task"], c["data"]["name"], table.headline(c), table.size(c["parameters"], "")) for c in found
        ]
        print_table("Checkpoints", ("name", "task", "data", "measured on the test split", "parameters"), rows)


def info(asked: argparse.Namespace) -> None:
    from cnnzoo import hub, registry
    from cnnzoo.checkpoints import table

    if registry.split_name(asked.name)[1]:
        about = hub.card(asked.name)
        return print_json(about) if asked.json else _print_checkpoint(about)
    about = table.architecture_card(asked.name)
    if asked.json:
        return print_json(about)
    print(f"{about['name']}: {about['summary']}\n\n{about['description']}\n")
    print_table("Configuration", ("field", "default"), [(k, json.dumps(v)) for k, v in about["config"].items()])
    print(f"checkpoints: {', '.join(about['checkpoints']) or 'none'}")
    print(f"recipes: {', '.join(about['recipes']) or 'none'}")


def _print_checkpoint(card: dict[str, Any]) -> None:
    from cnnzoo.checkpoints import table

    print(f"{card['name']}: {card['description']}\n")
    rows = [
        ("task", card["task"]),
        ("source", card["paper"]),
        ("trained on", f"{card['data']['name']}, split {card['data']['split']!r} ({card['data']['licence']})"),
        ("made by", card["recipe"]["command"]),
        ("configuration", ", ".join(f"{k}={json.dumps(v)}" for k, v in card["config"].items())),
        ("parameters", f"{card['parameters']:,}"),
        ("files", table.size(card["bytes"], "B")),
        ("licence", card["licence"]),
    ]
    width = max(len(key) for key, _ in rows)
    print("\n".join(f"{key:{width}}  {value}" for key, value in rows) + "\n")
    print_scores(table.scores(card).values())


def demo(asked: argparse.Namespace) -> None:
    from cnnzoo.demo import make

    with progress("demo") as update:
        exhibits = make(asked.out, update)
    rows = [(e.name, e.did, e.score, f"{e.milliseconds:.2f}") for e in exhibits]
    print_table("", ("model", "what it did", "measured on its test split", "ms an image"), rows)
    print(f"gallery: {asked.out / 'index.html'} and {asked.out / 'gallery.png'}")


def train(asked: argparse.Namespace) -> None:
    from cnnzoo.training.loop import train
    from cnnzoo.training.progress import EpochBar

    with bars() as shown:
        run = train(
            asked.name,
            data=asked.data,
            epochs=asked.epochs,
            batch_size=asked.batch_size,
            seed=asked.seed,
            crop=asked.crop,
            limit=asked.limit,
            out=asked.out,
            resume=asked.resume,
            config=dict(asked.config) if asked.config else None,
            callbacks=[EpochBar(shown)],
            verbose=2,  # a line an epoch; the bar shows the steps
        )
    print(f"trained weights: {run / 'model.weights.h5'}")


def evaluate(asked: argparse.Namespace) -> None:
    from cnnzoo.checkpoints import load
    from cnnzoo.evaluation import evaluate

    options = {key: getattr(asked, key) for key in ("limit", "samples", "images", "extractor", "inception")}
    reports = []
    for name in asked.name:
        with progress(f"evaluating {name}") as update:
            path, data = find(name)
            reports.append(evaluate(load(path), asked.data or data, asked.split, progress=update, **options))
    if asked.json:
        found = [{**report.to_json(), "model": name} for name, report in zip(asked.name, reports, strict=True)]
        return print_json(found if len(found) > 1 else found[0])
    for name, report in zip(asked.name, reports, strict=True):
        print_scores(report.scores, f"{name} on {report.data}, split {report.split!r}")
