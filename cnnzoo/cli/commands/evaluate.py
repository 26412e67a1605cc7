"""`cnnzoo evaluate`"""

import argparse

from cnnzoo.cli import arguments, checks, models
from cnnzoo.cli.scores import print_scores
from cnnzoo.utils.terminal import print_json, progress

HELP = "measure a model on a test split"
EXAMPLES = (
    "cnnzoo evaluate cnn.mnist",
    "cnnzoo evaluate lenet.mnist --data digits --json",
    "cnnzoo evaluate RUN                        # the folder of a finished run",
    "cnnzoo evaluate espcn.x2 espcn.x3 espcn.x4 # on Set5, Set14 and BSD100, with bicubic upscaling",
    "cnnzoo evaluate vae.mnist --images 100 --samples 500",
    "cnnzoo evaluate dcgan.mnist --inception    # FID, KID and IS with the Inception network of 2015",
)
SPLITS = ("test", "train", "fit", "validation")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", nargs="+", help="checkpoints, such as lenet.mnist, or folders of checkpoints or finished runs"
    )
    parser.add_argument("--data", help="a data set or a folder (default: the training data of the model)")
    parser.add_argument(
        "--split", type=arguments.one_of(*SPLITS), default="test", help="test, train, fit or validation (default: test)"
    )
    parser.add_argument("--limit", type=arguments.integer(1), help="use at most this number of images")
    parser.add_argument(
        "--samples",
        type=arguments.integer(1),
        help="K of the importance-weighted bound (default: 5000; 100 for a ladder_vae)",
    )
    parser.add_argument(
        "--images", type=arguments.integer(1), help="images of that bound (default: the first 1000 of 28x28)"
    )
    parser.add_argument("--extractor", metavar="NAME", help="the classifier whose features score a generator")
    parser.add_argument("--inception", action="store_true", help="add FID, KID and IS; fetches 96 MB once")
    arguments.json_flag(parser)


def run(args: argparse.Namespace) -> None:
    checks.data(args.data)
    checks.classifier(args.extractor)
    for name in args.name:  # before the first evaluation
        models.check(name)
    from cnnzoo.checkpoints import load
    from cnnzoo.evaluation import evaluate

    options = {key: getattr(args, key) for key in ("limit", "samples", "images", "extractor", "inception")}
    reports = []
    for name in args.name:
        with progress(f"evaluating {name}") as update:
            path, data = models.resolve(name)
            reports.append(evaluate(load(path), args.data or data, args.split, progress=update, **options))
    if args.json:
        found = [{**report.to_json(), "model": name} for name, report in zip(args.name, reports, strict=True)]
        return print_json(found if len(found) > 1 else found[0])
    for i, (name, report) in enumerate(zip(args.name, reports, strict=True)):
        if i:
            print()
        print_scores(report.scores, f"{name} on {report.data}, split {report.split!r}")
