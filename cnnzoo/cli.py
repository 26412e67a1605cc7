"""The command `cnnzoo`: every verb of the zoo from a terminal.

Asking (`list`, `info`, `--help`) imports no network library. Bad input ends with exit code 2 and one line on stderr,
Ctrl-C with 130.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from math import ceil, sqrt
from pathlib import Path
from typing import Any, NoReturn

import cnnzoo
from cnnzoo.terminal import bars, import_quietly, print_json, print_scores, print_table, progress


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and gives its exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow reads it when it is imported
    asked = parser().parse_args(argv)
    try:
        if asked.run not in (list_, info):
            import_quietly()
        asked.run(asked)
        sys.stdout.flush()  # so that a reader that is gone is noticed here
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f"cnnzoo {asked.command}: {_in_a_line(error)}", file=sys.stderr)
        return 2
    return 0


def _in_a_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


# -- the grammar ------------------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    top = Parser(
        prog="cnnzoo",
        description="Image networks that generate, restore and edit, with trained weights and measured scores.",
        epilog="Start with: cnnzoo demo. Each command has examples in its own help: cnnzoo train --help.",
    )
    top.add_argument("--version", action="version", version=f"cnnzoo {cnnzoo.__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(run: Callable, help: str, *examples: str) -> argparse.ArgumentParser:
        added = commands.add_parser(
            run.__name__.removesuffix("_"),
            help=help,
            description=f"{help[0].upper()}{help[1:]}.",
            epilog="examples:\n" + "\n".join(f"  {example}" for example in examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(run=run)
        return added

    add = command(
        list_, "list what can be built and what is trained", "cnnzoo list", "cnnzoo list '*gan*'", "cnnzoo list --json"
    )
    add.add_argument("pattern", nargs="?", default="*", help="a shell pattern of names (default: all)")
    _json(add)

    add = command(
        info, "tell about an architecture or a checkpoint", "cnnzoo info lenet.mnist", "cnnzoo info dcgan --json"
    )
    add.add_argument("name", help="an architecture, such as lenet, or a checkpoint, such as lenet.mnist")
    _json(add)

    add = command(
        demo, "run every shipped checkpoint on real images and write a gallery", "cnnzoo demo", "cnnzoo demo --out show"
    )
    add.add_argument("--out", type=Path, default=Path("cnnzoo-demo"), help="its folder (default: ./cnnzoo-demo)")

    add = command(
        train,
        "train a recipe, or any architecture on any data; or go on with a run",
        "cnnzoo train cnn.mnist                     # the recipe of a checkpoint",
        "cnnzoo train dcgan --data digits --epochs 4 --seed 3 --out RUN",
        "cnnzoo train vae --data photos/ --config latent_dim=16 --config likelihood=logistic",
        "cnnzoo train --resume RUN                  # after Ctrl-C, a crash or a power cut",
    )
    add.add_argument("name", nargs="?", help="a recipe, such as cnn.mnist, or an architecture, such as cnn")
    add.add_argument("--data", help="a data set, or a folder <folder>/<split>/<label>/<image>")
    add.add_argument("--epochs", type=int, help="passes over the data (default: the recipe's, or 10)")
    add.add_argument("--batch-size", type=int, help="images a step (default: the recipe's, or 128)")
    add.add_argument("--seed", type=int, help="of everything random (default: the recipe's, or 0)")
    add.add_argument("--out", type=Path, help="the run folder (default: a new one in ./runs)")
    add.add_argument(
        "--config", type=_setting, action="append", metavar="KEY=VALUE", help="a field of the architecture, as JSON"
    )
    add.add_argument("--resume", type=Path, metavar="RUN", help="go on with the run in this folder")

    add = command(
        evaluate,
        "measure a model on a test split",
        "cnnzoo evaluate cnn.mnist",
        "cnnzoo evaluate lenet.mnist --data digits --json",
        "cnnzoo evaluate RUN                        # the folder of a finished run",
        "cnnzoo evaluate vae.mnist --images 100 --samples 500",
    )
    _model(add)
    add.add_argument("--data", help="a data set or a folder (default: what the model was trained on)")
    add.add_argument("--split", default="test", help="test, train, fit or validation (default: test)")
    add.add_argument("--limit", type=int, help="use only the first so many images")
    add.add_argument("--samples", type=int, default=5000, help="K of the importance-weighted bound (default: 5000)")
    add.add_argument("--images", type=int, default=1000, help="images of that bound (default: the first 1000)")
    add.add_argument("--extractor", metavar="NAME", help="the classifier whose features judge a generator")
    _json(add)

    add = command(
        generate,
        "make new images",
        "cnnzoo generate dcgan.mnist -n 64 --seed 0 --out sheet.png",
        "cnnzoo generate RUN -n 16",
        "cnnzoo generate RUN -n 16 --label 3        # of a cgan",
    )
    _model(add)
    add.add_argument("-n", type=int, default=64, help="how many (default: 64)")
    add.add_argument("--seed", type=int, default=0, help="of the noise (default: 0)")
    add.add_argument("--label", type=int, help="the class to make, of a model that takes one (default: all in turn)")
    add.add_argument("--out", type=Path, default=Path("sheet.png"), help="the contact sheet (default: ./sheet.png)")

    add = command(
        reconstruct,
        "put images through an autoencoder",
        "cnnzoo reconstruct autoencoder.mnist three.png eight.png --out again",
    )
    _model(add)
    _images(add)
    add.add_argument(
        "--out", type=Path, default=Path("reconstructed"), help="where NAME.png goes (default: ./reconstructed)"
    )

    add = command(
        classify,
        "name what is in images",
        "cnnzoo classify lenet.mnist three.png eight.png",
        "cnnzoo classify cnn.fashion_mnist shoe.jpg --top 1 --json",
    )
    _model(add)
    _images(add)
    add.add_argument("--top", type=int, default=3, help="classes to show for each image (default: 3)")
    _json(add)
    return top


def _json(to: argparse.ArgumentParser) -> None:
    to.add_argument("--json", action="store_true", help="print JSON on stdout")


def _model(to: argparse.ArgumentParser) -> None:
    to.add_argument("name", help="a checkpoint, such as lenet.mnist, or the folder of a checkpoint or finished run")


def _images(to: argparse.ArgumentParser) -> None:
    to.add_argument("image", nargs="+", type=Path, help="image files; resized, grey and colour converted, as needed")


def _setting(text: str) -> tuple[str, Any]:
    """KEY=VALUE with a JSON value, where a plain word may do without its quotes."""
    key, equals, value = text.partition("=")
    if not (key.isidentifier() and equals):
        raise argparse.ArgumentTypeError(f"got {text!r}; allowed: KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        if value.isidentifier() and value not in ("True", "False", "None"):
            return key, value
        raise argparse.ArgumentTypeError(
            f"got {text!r}, whose value is not JSON; allowed: 0.5, true, null, [28, 28, 1], max"
        ) from None


# -- the commands -----------------------------------------------------------------------------------------------------


def list_(asked: argparse.Namespace) -> None:
    from cnnzoo import cards, registry

    architectures = [{"name": name, "summary": cards.summary(name)} for name in registry.list_models(asked.pattern)]
    found = [registry.card(name) for name in registry.list_checkpoints(asked.pattern)]
    if not (architectures or found):
        known = [*registry.list_models(), *registry.list_checkpoints()]
        raise registry.UnknownName("architecture or checkpoint", asked.pattern, known)
    if asked.json:
        kept = ("name", "description", "task", "data", "scores", "parameters", "bytes", "licence")
        print_json({"architectures": architectures, "checkpoints": [{k: card[k] for k in kept} for card in found]})
        return
    if architectures:
        print_table("Architectures", ("name", "what it is"), [tuple(a.values()) for a in architectures])
    if found:
        rows = [
            (c["name"], c["task"], c["data"]["name"], cards.headline(c), cards.size(c["parameters"], "")) for c in found
        ]
        print_table("Checkpoints", ("name", "task", "data", "measured on the test split", "parameters"), rows)


def info(asked: argparse.Namespace) -> None:
    from cnnzoo import cards, registry

    if registry.split_name(asked.name)[1]:
        about = registry.card(asked.name)
        return print_json(about) if asked.json else _print_checkpoint(about)
    about = cards.architecture_card(asked.name)
    if asked.json:
        return print_json(about)
    print(f"{about['name']}: {about['summary']}\n\n{about['description']}\n")
    print_table("Configuration", ("field", "default"), [(k, json.dumps(v)) for k, v in about["config"].items()])
    print(f"checkpoints: {', '.join(about['checkpoints']) or 'none'}")
    print(f"recipes: {', '.join(about['recipes']) or 'none'}")


def _print_checkpoint(card: dict[str, Any]) -> None:
    from cnnzoo import cards

    print(f"{card['name']}: {card['description']}\n")
    rows = [
        ("task", card["task"]),
        ("source", card["paper"]),
        ("trained on", f"{card['data']['name']}, split {card['data']['split']!r} ({card['data']['licence']})"),
        ("made by", card["recipe"]["command"]),
        ("configuration", ", ".join(f"{k}={json.dumps(v)}" for k, v in card["config"].items())),
        ("parameters", f"{card['parameters']:,}"),
        ("files", cards.size(card["bytes"], "B")),
        ("licence", card["licence"]),
    ]
    width = max(len(key) for key, _ in rows)
    print("\n".join(f"{key:{width}}  {value}" for key, value in rows) + "\n")
    print_scores(cards.scores(card).values())


def demo(asked: argparse.Namespace) -> None:
    from cnnzoo.demo import make

    with progress("demo") as update:
        exhibits = make(asked.out, update)
    rows = [(e.name, e.did, e.score, f"{e.milliseconds:.2f}") for e in exhibits]
    print_table("", ("model", "what it did", "measured on its test split", "ms an image"), rows)
    print(f"gallery: {asked.out / 'index.html'} and {asked.out / 'gallery.png'}")


def train(asked: argparse.Namespace) -> None:
    from cnnzoo.training.fit import train
    from cnnzoo.training.progress import EpochBar

    with bars() as shown:
        run = train(
            asked.name,
            data=asked.data,
            epochs=asked.epochs,
            batch_size=asked.batch_size,
            seed=asked.seed,
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

    options = {key: getattr(asked, key) for key in ("limit", "samples", "images", "extractor")}
    with progress(f"evaluating {asked.name}") as update:
        path, data = _find(asked.name)
        report = evaluate(load(path), asked.data or data, asked.split, progress=update, **options)
    if asked.json:
        print_json({**report.to_json(), "model": asked.name})
    else:
        print_scores(report.scores, f"{asked.name} on {report.data}, split {report.split!r}")


def generate(asked: argparse.Namespace) -> None:
    from cnnzoo.images import contact_sheet, save_png

    with progress(f"generating with {asked.name}"):
        model = _able(asked.name, "generate")
        if asked.label is not None and not model.needs_labels:
            raise ValueError(f"got --label for {asked.name!r}, which takes none")
        label = {} if asked.label is None else {"labels": asked.label}
        images = model.generate(asked.n, seed=asked.seed, **label)
    save_png(asked.out, contact_sheet(images, ceil(sqrt(asked.n))))
    print(asked.out)


def reconstruct(asked: argparse.Namespace) -> None:
    from cnnzoo.images import save_png

    stems = [path.stem for path in asked.image]
    if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
        raise ValueError(
            f"got several images named {', '.join(twice)}; allowed: each name once, as the results take it"
        )
    targets = [asked.out / f"{stem}.png" for stem in stems]
    for path, target in zip(asked.image, targets, strict=True):
        if target.exists() and path.exists() and target.samefile(path):
            raise ValueError(f"got the folder of {path} as --out, where the result would replace it")
    with progress(f"reconstructing with {asked.name}"):
        model = _able(asked.name, "reconstruct")
        made = model.reconstruct(_read(asked.image, model))
    for target, image in zip(targets, made, strict=True):
        save_png(target, image)
        print(target)


def classify(asked: argparse.Namespace) -> None:
    from cnnzoo.cards import class_names

    if asked.top < 1:
        raise ValueError(f"got --top {asked.top}; allowed: >= 1")
    with progress(f"classifying with {asked.name}"):
        model = _able(asked.name, "classify")
        chances = model.classify(_read(asked.image, model))
    names = class_names(_find(asked.name)[1], chances.shape[1])
    answers = []
    for path, row in zip(asked.image, chances, strict=True):
        best = row.argsort()[::-1][: asked.top]
        answers.append(
            {"image": str(path), "classes": [{"name": names[i], "probability": float(row[i])} for i in best]}
        )
    if asked.json:
        return print_json(answers)
    rows = [(a["image"], *(f"{c['name']} {100 * c['probability']:.1f} %" for c in a["classes"])) for a in answers]
    print_table("", ("image", *(f"{i + 1}." for i in range(len(rows[0]) - 1))), rows)


# -- models and images ------------------------------------------------------------------------------------------------


def _find(name: str) -> tuple[Path, str]:
    """The folder of a trained model and the data it was trained on.

    Raises:
        ValueError: There is no trained model of that name.
        CheckpointError: A card that cannot be read.
    """
    from cnnzoo import registry
    from cnnzoo.checkpoints import open_checkpoint
    from cnnzoo.training.runs import Run

    known = registry.list_checkpoints()
    if name in known or (Path(name) / "card.json").exists():
        path = registry.checkpoint_path(name) if name in known else Path(name)
        return path, open_checkpoint(path).card["data"]["name"]
    if Path(name).is_dir():
        run = Run.open(name)
        return run.path, run.plan["data"]
    if name in registry.list_models():
        own = registry.list_checkpoints(name)
        raise ValueError(f"got {name!r}, an architecture; allowed: {', '.join([*own, 'the folder of a run'])}")
    raise registry.UnknownName("checkpoint", name, known)


def _able(name: str, verb: str):
    """The trained model `name`, which must have the verb."""
    from cnnzoo.checkpoints import load

    model = load(_find(name)[0])
    if not hasattr(model, verb):
        raise ValueError(f"got {name!r}, whose task is {model.task!r}; allowed: a model that can {verb}")
    return model


def _read(paths: Sequence[Path], model):
    """Image files as one uint8 batch of the shape that the model takes."""
    import numpy as np

    from cnnzoo.images import fit_to, read_image

    return np.concatenate([fit_to(read_image(path)[None], model.image_shape) for path in paths])
