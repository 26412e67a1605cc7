"""Many pictures through a model, as transforms of Apache Beam.

    names | cnnzoo.beam.Edit("espcn.x2", "gs://bucket/larger")
    names | cnnzoo.beam.Classify("lenet.mnist")

`names` are file names, of this machine or of a file system that Beam knows. Each transform has a second output,
`failed`: pairs of a name and the reason, for pictures that cannot be read or edited. Other errors fail the bundle, and
Beam tries it again; a file is written aside and renamed, so that it is there once, with the same bytes.
"""

import posixpath
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

try:
    import apache_beam as beam
    from apache_beam.io.filesystem import CompressionTypes
    from apache_beam.io.filesystems import FileSystems
except ModuleNotFoundError:
    from cnnzoo.utils.optional import require

    require("cnnzoo.beam", "beam", "apache_beam")
    raise

from cnnzoo import checkpoints
from cnnzoo.checkpoints.labels import class_names
from cnnzoo.checkpoints.remote import is_remote, pinned
from cnnzoo.checkpoints.trained import data_of, described
from cnnzoo.imaging.arrays import fit_to
from cnnzoo.imaging.files import FORMATS, Photo, format_for, read_image, read_photo, save_photo
from cnnzoo.registry import architecture
from cnnzoo.runtime import edits, open_model
from cnnzoo.runtime.photographs import check_strength
from cnnzoo.utils.checks import check_integer

OPTIONS = {
    "upscale": ("scale", "ensemble"),
    "restore": ("ensemble",),
    "enhance": ("strength",),
    "stylize": ("style", "keep_color"),
}  # by the task of the model


class Edit(beam.PTransform):
    """Photographs through a model that upscales, denoises, enhances or stylizes, each into a file of its name.

    The files are those of `cnnzoo upscale`, `denoise`, `enhance` and `stylize` with `--model`. A picture whose format
    cannot be written becomes a PNG.

    Args:
        model: The name of a checkpoint, "hf://USER/NAME[@REVISION]" too, or the folder of a finished run, which all
            workers must have. Of the Hub, all take the commit that the revision is at when the transform is made.
        out: The folder of the results.
        **options: `scale`, a fraction too, and `ensemble` of an upscaler; `ensemble` of a denoiser; `strength`, 0 to 2,
            of an enhancer; `style`, a name or weights by name, and `keep_color` of a painter.

    Raises:
        UnknownName: There is no such model.
        ValueError: It edits no photographs, or an option is not one of its task or out of range; when run: two pictures
            have one name.
    """

    def __init__(self, model: str, out: str, **options: Any) -> None:
        super().__init__()
        model = _pinned(model)
        about = described(model)[1]
        task = architecture(about["architecture"]).task
        if task not in OPTIONS:
            raise ValueError(f"`model` must be one to {', '.join(OPTIONS)}. Received: {model!r}, to {task}")
        if unknown := [name for name in options if name not in OPTIONS[task]]:
            raise ValueError(
                f"Options of {model!r} must be of {', '.join(OPTIONS[task])}. Received: {', '.join(unknown)}"
            )
        if task == "stylize" and "style" not in options:
            raise ValueError(f"`style` must be given with {model!r}. Received: none")
        if task == "enhance":
            check_strength(options.get("strength", 1.0))
        factor = about["config"].get("scale", 1)
        scale = options.setdefault("scale", factor) if task == "upscale" else 1
        if not factor - 1 < scale <= factor:
            raise ValueError(f"`scale` must be {factor}, or a fraction above {factor - 1}. Received: {scale}")
        self._editing = _Editing(model, task, scale, options)
        self._out = out

    def expand(self, names: Any) -> Any:
        """Groups the names by their results, so that each is made once."""
        results = names | "Result of each" >> beam.Map(partial(_result, self._out)) | beam.GroupByKey()
        return results | "Edit" >> beam.ParDo(self._editing).with_outputs("failed", main="written")


class Classify(beam.PTransform):
    """Pictures to pairs: the name of the file, and the most probable classes as pairs (class name, probability).

    Args:
        model: As in `Edit`.
        top: Classes of each picture, >= 1.

    Raises:
        UnknownName: There is no such model.
        ValueError: It is no classifier, or `top` is below 1.
    """

    def __init__(self, model: str, top: int = 3) -> None:
        super().__init__()
        model = _pinned(model)
        task = architecture(described(model)[1]["architecture"]).task
        if task != "classify":
            raise ValueError(f"`model` must be one to classify. Received: {model!r}, to {task}")
        check_integer("top", top, 1)
        self._classifying = _Classifying(model, top)

    def expand(self, names: Any) -> Any:
        """Classifies each picture by itself."""
        return names | "Classify" >> beam.ParDo(self._classifying).with_outputs("failed", main="classified")


class _Editing(beam.DoFn):
    def __init__(self, model: str, task: str, scale: float, options: dict[str, Any]) -> None:
        super().__init__()
        self.name, self.task, self.scale, self.options = model, task, scale, options

    def setup(self) -> None:
        """Loads the model, once for a worker."""
        path = described(self.name)[0]
        self.model = open_model(path) or checkpoints.load(path)
        self.in_strips: Any = None

    def process(self, element: tuple[str, Iterable[str]]) -> Iterator[Any]:
        target, (name, *others) = element[0], sorted(set(element[1]))
        if others:
            raise ValueError(
                f"Each result must come from one picture. Received: several for {target}: {name}, {others}"
            )
        try:
            photo = read_photo(_read(name))
            format_for(Path(posixpath.basename(target)), edits.scaled_size(photo.pixels.shape, self.scale), photo)
            photo = self._edited(photo)
        except ValueError as error:
            yield beam.pvalue.TaggedOutput("failed", (name, " ".join(str(error).split())))
            return
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / posixpath.basename(target)
            save_photo(file, photo.pixels, photo)
            _write(target, file.read_bytes())
        yield target

    def _edited(self, photo: Photo) -> Photo:
        if self.task == "upscale":
            return edits.enlarged(self.model, photo, **self.options)
        if self.task == "restore":
            if photo.pixels.shape[2] > self.model.image_shape[2]:
                raise ValueError(f"The picture must be gray for {self.name!r}. Received: a color picture")
            return edits.denoised(self.model, photo, **self.options)
        if self.task == "enhance":
            return edits.enhanced(self.model, photo, self.options.get("strength", 1.0))
        pixels = photo.pixels.shape[0] * photo.pixels.shape[1]
        if pixels > getattr(self.model, "largest", pixels) and self.in_strips is None:
            self.in_strips = checkpoints.load(described(self.name)[0])
        model = self.in_strips if pixels > getattr(self.model, "largest", pixels) else self.model
        return edits.painted(model.stylize, photo, **self.options)


class _Classifying(beam.DoFn):
    def __init__(self, model: str, top: int) -> None:
        super().__init__()
        self.name, self.top = model, top

    def setup(self) -> None:
        """Loads the model, once for a worker."""
        path, about = described(self.name)
        self.model = checkpoints.load(path)
        self.classes = class_names(self.model, data_of(about))

    def process(self, element: str) -> Iterator[Any]:
        try:
            image = fit_to(read_image(_read(element), name=element)[None], self.model.image_shape)
        except ValueError as error:
            yield beam.pvalue.TaggedOutput("failed", (element, " ".join(str(error).split())))
            return
        (chances,) = self.model.classify(image)
        best = chances.argsort()[::-1][: self.top]
        yield element, [(self.classes[i], float(chances[i])) for i in best]


def _pinned(model: str) -> str:
    """The name of a model, with its commit if it is of the Hub, so that all workers have the same."""
    return pinned(model) if is_remote(model) else model


def _result(out: str, name: str) -> tuple[str, str]:
    """The file to write for a picture, and the picture."""
    base, suffix = posixpath.splitext(posixpath.basename(name))
    return FileSystems.join(out, base + (suffix if suffix.lower() in FORMATS else ".png")), name


def _read(name: str) -> bytes:
    with FileSystems.open(name, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        return file.read()


def _write(name: str, content: bytes) -> None:
    """Writes a file aside and renames it."""
    folder, base = FileSystems.split(name)
    aside = FileSystems.join(folder, f".{secrets.token_hex(8)}-{base}")
    try:
        with FileSystems.create(aside, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            file.write(content)
        FileSystems.rename([aside], [name])
    except BaseException:
        if FileSystems.exists(aside):
            FileSystems.delete([aside])
        raise
