"""The command `cnnzoo`: every verb of the zoo from a terminal.

Asking (`list`, `info`, `--help`) imports no network library. Bad input ends with exit code 2 and one line on stderr,
Ctrl-C with 130.
"""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import cnnzoo
from cnnzoo import serving
from cnnzoo.commands import data, doctor, edit, explain, latent, pictures, restore, search, ship, zoo
from cnnzoo.terminal import print_anything


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and gives its exit code."""
    print_anything()
    asked = parser().parse_args(argv)
    format_before, warnings.formatwarning = warnings.formatwarning, _warning_line
    try:
        code = asked.run(asked)
        sys.stdout.flush()  # so that a reader that is gone is noticed here
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f"cnnzoo {asked.command}: {_in_a_line(error)}", file=sys.stderr)
        return 2
    finally:
        warnings.formatwarning = format_before
    return code or 0


def _warning_line(message: Warning | str, *_: object, **__: object) -> str:
    """A warning as a command shows it, without the line of code that it came from."""
    return f"cnnzoo: {message}\n"


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
        zoo.list_,
        "list what can be built and what is trained",
        "cnnzoo list",
        "cnnzoo list '*gan*'",
        "cnnzoo list --json",
    )
    add.add_argument("pattern", nargs="?", default="*", help="a shell pattern of names (default: all)")
    _json(add)

    add = command(
        zoo.info, "tell about an architecture or a checkpoint", "cnnzoo info lenet.mnist", "cnnzoo info dcgan --json"
    )
    add.add_argument("name", help="an architecture, such as lenet, or a checkpoint, such as lenet.mnist")
    _json(add)

    add = command(
        doctor.doctor,
        "say what works on this machine, and what to do about what does not; exit code 0 if the zoo can be used",
        "cnnzoo doctor",
        "cnnzoo doctor --json",
    )
    _json(add)

    add = command(
        zoo.demo,
        "run every shipped checkpoint on real images and write a gallery",
        "cnnzoo demo",
        "cnnzoo demo --out show",
    )
    add.add_argument("--out", type=Path, default=Path("cnnzoo-demo"), help="its folder (default: ./cnnzoo-demo)")

    add = command(
        data.data,
        "fetch public image sets that recipes and scores need, or write pictures to try things on",
        "cnnzoo data get                            # sizes, licences, and which are here",
        "cnnzoo data get t91 set5",
        "cnnzoo data examples                       # photo.jpg, three.png and others",
    )
    data.arguments(add)

    add = command(
        zoo.train,
        "train a recipe, or any architecture on any data; or go on with a run",
        "cnnzoo train cnn.mnist                     # the recipe of a checkpoint",
        "cnnzoo train dcgan --data digits --epochs 4 --seed 3 --out RUN",
        "cnnzoo train vae --data photos/ --config latent_dim=16 --config likelihood=logistic",
        "cnnzoo train --resume RUN                  # after Ctrl-C, a crash or a power cut",
        "cnnzoo train SEARCH/best --epochs 50       # the best settings that cnnzoo tune has found",
    )
    add.add_argument(
        "name", nargs="?", help="a recipe, such as cnn.mnist or SEARCH/best, or an architecture, such as cnn"
    )
    add.add_argument("--data", help="a data set, or a folder: <folder>/<split>/<label>/<image>, or just images")
    add.add_argument("--epochs", type=int, help="passes over the data (default: the recipe's, or 10)")
    add.add_argument("--batch-size", type=int, help="images a step (default: the recipe's, or 128)")
    add.add_argument("--seed", type=int, help="of everything random (default: the recipe's, or 0)")
    add.add_argument("--crop", type=int, help="side of the crops of photographs (default: the recipe's, or 64)")
    add.add_argument("--limit", type=int, help="train on so many of the images alone (default: the recipe's, or all)")
    add.add_argument("--out", type=Path, help="the run folder (default: a new one in ./runs)")
    add.add_argument(
        "--config", type=_setting, action="append", metavar="KEY=VALUE", help="a field of the architecture, as JSON"
    )
    add.add_argument("--resume", type=Path, metavar="RUN", help="go on with the run in this folder")

    add = command(
        search.tune,
        "search good settings for an architecture, by its metric on validation images",
        "cnnzoo tune vae --data mnist --trials 12",
        "cnnzoo tune dcgan --data fashion_mnist --tuner hyperband --epochs 9 --limit 10000",
        "cnnzoo tune cnn --data digits --space learning_rate=1e-4..1e-2 --space 'batch_size=[32, 64]'",
        "cnnzoo tune vae --data mnist --config latent_dim=2 --objective negative_elbo --out SEARCH",
        "cnnzoo train SEARCH/best --epochs 50       # what was found; or more of it",
    )
    search.arguments(add)
    add.add_argument(
        "--config", type=_setting, action="append", metavar="KEY=VALUE", help="a field that is not searched, as JSON"
    )
    _json(add)

    add = command(
        zoo.evaluate,
        "measure a model on a test split",
        "cnnzoo evaluate cnn.mnist",
        "cnnzoo evaluate lenet.mnist --data digits --json",
        "cnnzoo evaluate RUN                        # the folder of a finished run",
        "cnnzoo evaluate espcn.x2 espcn.x3 espcn.x4 # on Set5, Set14 and BSD100, beside bicubic enlargement",
        "cnnzoo evaluate vae.mnist --images 100 --samples 500",
        "cnnzoo evaluate dcgan.mnist --inception    # FID, KID and IS with the Inception network of 2015",
    )
    add.add_argument(
        "name", nargs="+", help="checkpoints, such as lenet.mnist, or folders of checkpoints or finished runs"
    )
    add.add_argument("--data", help="a data set or a folder (default: what the model was trained on)")
    add.add_argument("--split", default="test", help="test, train, fit or validation (default: test)")
    add.add_argument("--limit", type=int, help="use only so many images")
    add.add_argument("--samples", type=int, default=5000, help="K of the importance-weighted bound (default: 5000)")
    add.add_argument("--images", type=int, help="images of that bound (default: the first 1000 of 28x28)")
    add.add_argument("--extractor", metavar="NAME", help="the classifier whose features judge a generator")
    add.add_argument("--inception", action="store_true", help="add FID, KID and IS; fetches 96 MB once")
    _json(add)

    add = command(
        pictures.generate,
        "make new images",
        "cnnzoo generate dcgan.mnist -n 64 --seed 0 --out sheet.png",
        "cnnzoo generate RUN -n 16",
        "cnnzoo generate cgan.mnist -n 16 --label 3",
        "cnnzoo generate dcgan.mnist --truncation 1.5",
    )
    _model(add)
    add.add_argument("-n", type=int, default=64, help="how many (default: 64)")
    _seed(add)
    _label(add)
    add.add_argument("--truncation", type=float, help="the largest noise number; less than 2 gives more typical images")
    _sheet(add)

    add = command(
        pictures.reconstruct,
        "put images through an autoencoder",
        "cnnzoo reconstruct autoencoder.mnist three.png eight.png --out again",
    )
    _model(add)
    _images(add)
    add.add_argument(
        "--out", type=Path, default=Path("reconstructed"), help="where NAME.png goes (default: ./reconstructed)"
    )

    add = command(
        pictures.classify,
        "name what is in images",
        "cnnzoo classify lenet.mnist three.png eight.png",
        "cnnzoo classify cnn.fashion_mnist shoe.jpg --top 1 --json",
    )
    _model(add)
    _images(add)
    add.add_argument("--top", type=int, default=3, help="classes to show for each image (default: 3)")
    _json(add)

    add = command(
        explain.explain,
        "show what a classifier or a discriminator sees in an image; for an autoencoder there is traverse",
        "cnnzoo explain lenet.mnist three.png -o report.png",
        "cnnzoo explain cnn.mnist three.png --label 8 --method grad_cam --method occlusion",
        "cnnzoo explain cgan.mnist three.png --label 3",
    )
    _model(add)
    _images(add, None, "an image file")
    add.add_argument("--label", type=int, help="the class asked about (default: the most likely one)")
    add.add_argument("--method", action="append", metavar="NAME", help="one of the maps (default: all)")
    _picture(add, "-o", "--out", default="report.png", help="the report")

    add = command(
        restore.upscale,
        "make photographs larger",
        "cnnzoo upscale in.jpg out.png --scale 3",
        "cnnzoo upscale photos/ larger/ --scale 2 --ensemble",
        "cnnzoo upscale in.jpg out.png --scale 4 --model espcn_gan.x4 --sharpness 0.5",
    )
    _photos(add)
    add.add_argument("--scale", type=int, required=True, help="how many times as high and as wide")
    _other_model(add, "espcn.x<scale>")
    add.add_argument("--sharpness", type=float, help="of espcn_gan, from 0, faithful, to 1, sharp (default: 1)")
    _ensemble(add)

    add = command(
        restore.denoise,
        "take the noise out of photographs",
        "cnnzoo denoise in.png out.png",
        "cnnzoo denoise scans/ clean/ --model denoiser.gray_s25 --ensemble",
    )
    _photos(add)
    _other_model(add, "denoiser.gray_blind or denoiser.color_blind, as the picture is")
    _ensemble(add)

    add = command(
        restore.inpaint,
        "fill what is missing in photographs",
        "cnnzoo inpaint in.png out.png --mask mask.png",
    )
    _photos(add)
    add.add_argument(
        "--mask", type=Path, required=True, help="a picture of the same size: what is bright is filled, black is kept"
    )
    _other_model(add, "inpainter.photos64")

    add = command(
        edit.stylize,
        "paint photographs in the style of other pictures",
        "cnnzoo stylize photo.jpg out.png --style starry_night    # in one pass, by fast_style.paintings",
        "cnnzoo stylize photo.jpg out.png --style starry_night --optimizer lbfgs    # better, and slower",
        "cnnzoo stylize photo.jpg out.png --style my_painting.jpg --keep-color --frames frames/",
        "cnnzoo stylize photo.jpg out.png --style wave --weight 2 --style udnie --weight 1 --mask sky.png",
    )
    _photos(add)
    add.add_argument("--style", action="append", required=True, help="a picture or a painting's name; or several")
    add.add_argument("--weight", action="append", type=float, help="of each style (default: all the same)")
    add.add_argument("--mask", type=Path, help="a picture of the same size: what is bright is painted, black is kept")
    add.add_argument("--keep-color", action="store_true", help="paint the luma alone")
    by_itself = add.add_argument_group(
        "optimisation", "each picture by itself: for a style of your own, or where one of these asks for it"
    )
    by_itself.add_argument("--optimizer", help="lbfgs or adam (default: lbfgs)")
    by_itself.add_argument("--steps", type=int, help="evaluations of the loss at each scale (default: 100)")
    by_itself.add_argument("--side", type=int, help="the largest that is painted, in pixels (default: 1024)")
    networks = "a classifier, random_vgg, random_scales or vgg19 (default: vgg_small.cifar10)"
    by_itself.add_argument("--network", help=networks)
    steps = "where pictures of every tenth step go; for a folder of photographs, NAME/ of each in it"
    by_itself.add_argument("--frames", type=Path, metavar="FOLDER", help=steps)

    add = command(
        edit.enhance,
        "bring exposure, contrast and colour of photographs in order",
        "cnnzoo enhance photo.jpg out.png",
        "cnnzoo enhance photos/ better/ --strength 0.7",
    )
    _photos(add)
    add.add_argument("--strength", type=float, default=1.0, help="from 0, nothing, to 2 (default: 1)")
    _other_model(add, "enhancer.photos")

    add = command(
        latent.interpolate,
        "show the way from one image to another",
        "cnnzoo interpolate dcgan.mnist --seed 3",
        "cnnzoo interpolate autoencoder.mnist three.png eight.png",
        "cnnzoo interpolate cgan.mnist --label 7 --steps 12",
    )
    _model(add)
    _images(add, "*", "two or more images for an autoencoder to go through (default: random ones)")
    add.add_argument("--steps", type=int, default=9, help="images of each way, both ends included (default: 9)")
    add.add_argument("--ways", type=int, default=8, help="between random images (default: 8)")
    add.add_argument("--straight", action="store_true", help="along a straight line rather than along the sphere")
    _seed(add)
    _label(add)
    _sheet(add)

    add = command(
        latent.traverse,
        "show what each latent number does: a row for a number, from -3 to 3",
        "cnnzoo traverse vae.mnist --dimensions 12",
        "cnnzoo traverse vae.mnist three.png",
    )
    _model(add)
    _images(add, "?", "the image to begin with, for an autoencoder (default: a random one)")
    add.add_argument("--dimensions", type=int, default=8, help="how many of the latent numbers (default: the first 8)")
    add.add_argument("--steps", type=int, default=9, help="values of each (default: 9)")
    _seed(add)
    _label(add)
    _sheet(add)

    add = command(
        latent.invert,
        "find the latent vectors whose images come nearest to given ones; shown below them",
        "cnnzoo invert dcgan.mnist three.png eight.png",
    )
    _model(add)
    _images(add)
    add.add_argument("--steps", type=int, default=300, help="of the search (default: 300)")
    _seed(add)
    _sheet(add)
    _json(add)

    add = command(
        latent.nearest,
        "show samples above the training images nearest to them, to see whether they are copies",
        "cnnzoo nearest dcgan.mnist",
        "cnnzoo nearest dcgan.fashion_mnist -n 100 --extractor cnn.fashion_mnist --json",
    )
    _model(add)
    add.add_argument("-n", type=int, default=16, help="how many samples (default: 16)")
    add.add_argument("--data", help="a data set or a folder (default: what the model was trained on)")
    add.add_argument("--extractor", metavar="NAME", help="the classifier whose features are compared (default: pixels)")
    _seed(add)
    _sheet(add)
    _json(add)

    add = command(
        ship.export,
        "write a model as TensorFlow Serving, LiteRT and ONNX runtimes load it",
        "cnnzoo export espcn.x3 exports/            # exports/espcn/1, and the next time exports/espcn/2",
        "cnnzoo export espcn.x2 exports/ --name espcn_x2 --litert --onnx",
    )
    _model(add)
    add.add_argument("folder", type=Path, help="where all exports lie")
    add.add_argument("--name", dest="called", help="what a client calls it by (default: its architecture)")
    add.add_argument("--litert", action="store_true", help="for phones as well: float32, float16 and int8")
    add.add_argument("--onnx", action="store_true", help="for ONNX as well")
    add.add_argument("--data", help="what calibrates int8: a data set or a folder (default: what it was trained on)")

    add = command(
        ship.verify,
        "compare exports with the numbers of their models, in a process without cnnzoo",
        "cnnzoo verify exports/espcn",
    )
    add.add_argument("folder", nargs="+", type=Path, help="the folder of an exported model, or of one version of it")
    _json(add)

    add = command(
        ship.serve,
        "try exports over HTTP, by the REST API of TensorFlow Serving, which is what production runs",
        "cnnzoo serve exports/                      # on http://127.0.0.1:8501",
        "cnnzoo serve exports/ --port 9000 --megabytes 64 --megapixels 16",
        "curl localhost:8501/v1/models/espcn        # its versions; /metadata has the signatures",
        "curl localhost:8501/monitoring/prometheus/metrics",
        "python -m cnnzoo.serving.client photo.jpg out.png  # a client, of this server and of the real one",
    )
    add.add_argument("folder", type=Path, help="where all exports lie")
    add.add_argument(
        "--host", default=serving.HOST, help="the address to listen on (default: %(default)s, this machine)"
    )
    add.add_argument("--port", type=int, default=serving.PORT, help="0 for any that is free (default: %(default)s)")
    most: dict[str, Any] = {"type": float, "metavar": "N"}
    add.add_argument(
        "--megabytes", **most, default=serving.MEGABYTES, help="the largest request (default: %(default)g)"
    )
    add.add_argument(
        "--megapixels",
        **most,
        default=serving.MEGAPIXELS,
        help="millions of pixels in a request, or its answer in numbers; each may take 0.7 GB (default: %(default)g)",
    )
    return top


def _json(to: argparse.ArgumentParser) -> None:
    to.add_argument("--json", action="store_true", help="print JSON on stdout")


def _model(to: argparse.ArgumentParser) -> None:
    to.add_argument("name", help="a checkpoint, such as lenet.mnist, or the folder of a checkpoint or finished run")


def _images(to: argparse.ArgumentParser, count: str | None = "+", help: str = "image files") -> None:
    to.add_argument("image", nargs=count, type=Path, help=f"{help}; the middle is resized, color converted, as needed")
    to.add_argument("--invert", action="store_true", help="swap light and dark first, as for a digit drawn in ink")


def _photos(to: argparse.ArgumentParser) -> None:
    to.add_argument("input", metavar="in", type=Path, help="an image file, or a folder of them")
    to.add_argument("output", metavar="out", type=Path, help="a .png, .jpg or .webp file; for a folder, a folder")


def _other_model(to: argparse.ArgumentParser, default: str) -> None:
    to.add_argument("--model", metavar="NAME", help=f"a checkpoint or the folder of a run (default: {default})")


def _ensemble(to: argparse.ArgumentParser) -> None:
    to.add_argument("--ensemble", action="store_true", help="the mean over eight flips and turns; 8 times slower")


def _seed(to: argparse.ArgumentParser) -> None:
    to.add_argument("--seed", type=int, default=0, help="of the noise (default: 0)")


def _label(to: argparse.ArgumentParser) -> None:
    to.add_argument("--label", type=int, help="the class to make, of a model that takes one (default: all in turn)")


def _sheet(to: argparse.ArgumentParser) -> None:
    _picture(to, "--out", default="sheet.png", help="the contact sheet")


def _picture(to: argparse.ArgumentParser, *flags: str, default: str, help: str) -> None:
    """A file that a picture is written to, which is looked at before any work."""
    to.add_argument(
        *flags, type=_writable, default=default, help=f"{help}, a .png, .jpg or .webp file (default: ./{default})"
    )


def _writable(text: str) -> Path:
    from cnnzoo.imaging.files import format_for

    try:
        format_for(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return Path(text)


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
