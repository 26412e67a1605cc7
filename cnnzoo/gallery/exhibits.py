"""The work of one checkpoint, and the tasks of the gallery."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cnnzoo import hub
from cnnzoo.checkpoints import table
from cnnzoo.gallery import photographs, small_images
from cnnzoo.gallery.numbers import Numbers, numbers
from cnnzoo.gallery.photographs import Pair
from cnnzoo.gallery.small_images import Sheet
from cnnzoo.runtime import open_model


@dataclass(frozen=True)
class Task:
    """A card of the gallery.

    Attributes:
        title, text: Its heading, and a sentence.
        front: The checkpoint in front; the others of the task are folded.
        command: An example.
    """

    title: str
    text: str
    front: str
    command: str


TASKS = {
    "upscale": Task(
        "Enlarge",
        "A photograph 2, 3 or 4 times as large. Before: bicubic resizing, as in any viewer.",
        "espcn.x3",
        "cnnzoo upscale photo.jpg larger.png --scale 3",
    ),
    "upscale_real": Task(
        "Enlarge a JPEG file",
        "The same for compressed and noisy photographs: blocks and rings of JPEG are not enlarged with the rest.",
        "espcn.x3_real",
        "cnnzoo upscale photo.jpg larger.png --scale 3",
    ),
    "restore": Task(
        "Denoise",
        "The noise of a dark room or a high sensitivity removed, of unknown strength.",
        "denoiser.color_blind",
        "cnnzoo denoise noisy.png clean.png",
    ),
    "inpaint": Task(
        "Repair",
        "Lettering, scratches and lost pixels filled in; all other pixels stay as they are.",
        "inpainter.photos64",
        "cnnzoo inpaint torn.png whole.png --mask mask.png",
    ),
    "enhance": Task(
        "Light",
        "Exposure, contrast and color of a photograph corrected.",
        "enhancer.photos",
        "cnnzoo enhance photo.jpg out.png --strength 0.7",
    ),
    "stylize": Task(
        "Paint",
        "A photograph in the style of a painting, in one pass.",
        "fast_style.paintings",
        "cnnzoo stylize photo.jpg out.png --style starry_night",
    ),
    "generate": Task(
        "Generate",
        "Images out of noise. Equal seeds give equal images.",
        "cgan.fashion_mnist",
        "cnnzoo generate cgan.fashion_mnist -n 16 --seed 0",
    ),
    "reconstruct": Task(
        "Encode and decode",
        "Images as a few numbers, and back.",
        "vae.mnist",
        "cnnzoo reconstruct vae.mnist three.png",
    ),
    "classify": Task(
        "Classify",
        "The class of an image.",
        "lenet.mnist",
        "cnnzoo classify lenet.mnist three.png eight.png",
    ),
}


@dataclass(frozen=True)
class Exhibit:
    """The output of one checkpoint.

    Attributes:
        name: "arch.tag".
        task: The key of its card in `TASKS`.
        description: Of the checkpoint.
        did: Description of the work, such as "generated 96 images".
        score: Headline of its card: scores on the test split.
        numbers: The scores as a table.
        seconds: Time per image.
        pairs: Photographs before and after.
        sheets: Small images, a sheet for each seed.
    """

    name: str
    task: str
    description: str
    did: str
    score: str
    numbers: Numbers
    seconds: float
    pairs: tuple[Pair, ...] = ()
    sheets: tuple[Sheet, ...] = ()


def task_of(card: Mapping[str, Any]) -> str:
    """The key in `TASKS` of a checkpoint."""
    return card["task"] + ("_real" if card["config"].get("degradation") == "real" else "")


def exhibit(name: str, whole: bool | None = None) -> Exhibit:
    """Runs one shipped checkpoint.

    Args:
        name: "arch.tag".
        whole: Whether to show all photographs of its task, or one; by default all if it is in front.
    """
    card = hub.card(name)
    whole = name == TASKS[task_of(card)].front if whole is None else whole
    # Without graphs of TensorFlow, which take seconds to build, where there are others.
    model = open_model(hub.checkpoint_path(name)) or small_images.built(name)
    pairs: list[Pair] = []
    sheets: list[Sheet] = []
    if small_images.is_of_small_images(card):
        did, seconds, sheets = small_images.sheets(model, card)
    else:
        did, seconds, pairs = photographs.pairs(model, card, whole)
    return Exhibit(
        name=name,
        task=task_of(card),
        description=card["description"],
        did=did,
        score=table.headline(card),
        numbers=numbers(card),
        seconds=seconds,
        pairs=tuple(pairs),
        sheets=tuple(sheets),
    )
