"""`cnnzoo push`"""

import argparse

from cnnzoo.cli import arguments, models
from cnnzoo.utils.terminal import print_json, progress

HELP = "push a trained model to the Hugging Face Hub"
EXAMPLES = (
    "cnnzoo push RUN USER/NAME --evaluate       # the folder of a finished run, with its scores",
    "cnnzoo push espcn.x3 USER/NAME --private",
    "cnnzoo upscale in.jpg out.png --scale 3 --model hf://USER/NAME",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.model(parser)
    parser.add_argument("repository", metavar="USER/NAME", help="the repository, created if it does not exist")
    parser.add_argument("--evaluate", action="store_true", help="score a run first, as cnnzoo evaluate does")
    parser.add_argument("--description", default="", metavar="TEXT", help="one line about a run, for the model card")
    parser.add_argument("--license", metavar="NAME", help="of the weights of a run (default: Apache-2.0)")
    parser.add_argument("--private", action="store_true", help="make a new repository private")
    arguments.json_flag(parser)


def run(args: argparse.Namespace) -> None:
    from cnnzoo import hub
    from cnnzoo.checkpoints import CARD, load, pushing

    pushing.check_repository(args.repository)
    path, data = models.resolve(args.name)
    if args.evaluate and (path / CARD).exists():
        raise ValueError(f"--evaluate must be given with a run. Received: {args.name!r}, whose card has its scores")
    scores: tuple = ()
    if args.evaluate:
        from cnnzoo.evaluation import evaluate

        with progress(f"evaluating {args.name}") as update:
            scores = evaluate(load(path), data, progress=update).scores
    about = {"description": args.description, "licence": args.license, "private": args.private}
    made = hub.push_to_hub(path, args.repository, scores=scores, **about)
    if args.json:
        return print_json({"name": made})
    print(made)
