"""Signatures of an export: the verbs of a model as functions of a TensorFlow graph, with named tensors.

A verb with images has two signatures: one of float32 numbers in [0, 1], and `<verb>_bytes` of files, with PNG or JPEG
inputs and PNG outputs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from cnnzoo.export.image_codec import checked, from_bytes, mask_from_bytes, to_bytes
from cnnzoo.imaging.files import png_bytes
from cnnzoo.tasks.inference import one_hot_in_turn

MOST = 1024  # generated images per request, at most
FINITE = float(np.finfo(np.float32).min), float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Tensor:
    """An input or an output.

    Attributes:
        dtype: NumPy's name of it, or "string".
        shape: With None for a free side; the first side is the batch, unless it is a scalar.
        about: A description.
        pictures: Whether it is images or masks, which are files in `<verb>_bytes`.
        limits: The smallest and the largest number of an input; None where its signature checks it.
    """

    dtype: str
    shape: tuple[int | None, ...]
    about: str
    pictures: bool = False
    limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Signature:
    """A function from named inputs to named outputs.

    Attributes:
        about: A description.
        inputs: The inputs by name.
        outputs: The outputs by name.
        function: Takes the inputs as keywords and returns a dict of the outputs, in any TensorFlow graph.
        example: Example inputs, as NumPy arrays or scalars.
    """

    about: str
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    function: Callable[..., dict[str, Any]]
    example: dict[str, Any]


def signatures(model: Any, images: np.ndarray, classes: Sequence[str] = ()) -> dict[str, Signature]:
    """All signatures of an export by name, as concrete functions; "serving_default" is the main one.

    Args:
        model, images, classes: See `verbs`.
    """
    numeric = {verb: traced(bounded(signature)) for verb, signature in verbs(model, images, classes).items()}
    files = {f"{verb}_bytes": traced(of_files(signature)) for verb, signature in numeric.items()}
    return {"serving_default": numeric[main(model)], **numeric, **files}


def verbs(model: Any, images: np.ndarray, classes: Sequence[str] = ()) -> dict[str, Signature]:
    """The verbs of a model, in float32 numbers.

    Args:
        model: A `PhasedModel`.
        images: uint8 (n, height, width, channels) in its image shape, for the examples.
        classes: The names of a classifier's classes.
    """
    shown = images.astype(np.float32) / 255.0
    known = (classify, upscale, restore, stylize, enhance, reconstruct, encode, decode, generate)
    return {verb.__name__: verb(model, shown, classes) for verb in known if hasattr(model, verb.__name__)}


def main(model: Any) -> str:
    """The verb of a model's task."""
    return "restore" if model.task == "inpaint" else model.task


def traced(signature: Signature) -> Signature:
    """The signature with its function as one graph, which all callers share."""
    specs = {key: tf.TensorSpec(tensor.shape, tensor.dtype, name=key) for key, tensor in signature.inputs.items()}

    def function(**given: Any) -> dict[str, Any]:
        return {key: tf.identity(value, name=key) for key, value in signature.function(**given).items()}

    return replace(signature, function=tf.function(function, autograph=False).get_concrete_function(**specs))


def bounded(signature: Signature) -> Signature:
    """The signature with checks of the lengths and limits of its inputs before any computation."""
    limited = {name: tensor for name, tensor in signature.inputs.items() if tensor.limits}
    first, *others = [name for name, tensor in signature.inputs.items() if tensor.shape] or [""]

    def function(**given: Any) -> dict[str, Any]:
        for name in others:
            equal = tf.shape(given[name])[0] == tf.shape(given[first])[0]
            rule = f"`{name}` must have one row for each row of `{first}`. Received: another number"
            given[name] = checked(given[name], equal, rule)
        for name, tensor in limited.items():
            given[name] = within_limits(given[name], name, tensor)
        return signature.function(**given)

    return replace(signature, function=function)


def within_limits(value: tf.Tensor, name: str, tensor: Tensor) -> tf.Tensor:
    """The value of a limited input, checked."""
    assert tensor.limits is not None
    value = checked(value, tf.size(value) > 0, f"`{name}` must have one value or more. Received: none")
    low, high = least, most = tensor.limits
    if tensor.pictures:
        least, most = low - 1e-6, high + 1e-6  # float32 is not exact
        rule = f"images in [0, 1]. Received: values outside [{low:g}, {high:g}]"
    elif tensor.limits == FINITE:
        rule = "finite numbers. Received: NaN or infinity"
    else:
        rule = f"numbers in [{low:g}, {high:g}]. Received: other numbers"
    return checked(value, (value >= least) & (value <= most), f"`{name}` must be {rule}")  # false for NaN too


def portable(model: Any, images: np.ndarray) -> Signature:
    """The main verb in float32 numbers alone, for runtimes without strings and random numbers.

    For super-resolution its images are gray, the luminance; for a generator its inputs are latent vectors.
    """
    verb = "decode" if model.task == "generate" else main(model)
    whole = verbs(model, images)[verb]
    if model.task == "classify":
        chances = {"probabilities": whole.outputs["probabilities"]}
        return replace(whole, outputs=chances, function=lambda image: {"probabilities": model(image)})
    if model.task == "upscale":
        gray = {"image": replace(images_of(model), about="gray images in [0, 1], or the luminance of color images")}
        return replace(whole, inputs=gray, outputs=gray, function=lambda image: {"image": model(image)})
    return whole


# -- the verbs ---------------------------------------------------------------------------------------------------------


def classify(model: Any, shown: np.ndarray, classes: Sequence[str]) -> Signature:
    """The probabilities and names of classes."""

    def function(image: tf.Tensor) -> dict[str, Any]:
        chances = model(image)
        names = tf.tile(tf.constant([*classes])[None], [tf.shape(chances)[0], 1])
        return {"probabilities": chances, "class_names": names}

    outputs = {
        "probabilities": Tensor("float32", (None, model.classes), "probability of each class"),
        "class_names": Tensor(
            "string", (None, model.classes), "names of the classes, in the order of the probabilities"
        ),
    }
    return Signature("Class probabilities of images", {"image": images_of(model)}, outputs, function, {"image": shown})


def reconstruct(model: Any, shown: np.ndarray, classes: Sequence[str]) -> Signature:
    """Reconstructions of images."""
    about = "Reconstructions of images"
    return Signature(about, *from_image_to_image(model), lambda image: {"image": model(image)}, {"image": shown})


def upscale(model: Any, shown: np.ndarray, classes: Sequence[str]) -> Signature:
    """Super-resolution of gray or color images, with bicubic chroma."""

    def function(image: tf.Tensor) -> dict[str, Any]:
        channels = tf.shape(image)[3]
        gray_or_color = (channels == 1) | (channels == 3)
        image = checked(image, gray_or_color, "`image` must have 1 or 3 channels. Received: another number")
        color = image * tf.ones(3)  # gray as three equal channels, whose chroma stays 0
        return {"image": tf.clip_by_value(model.upscaled(color), 0.0, 1.0)[..., : tf.shape(image)[3]]}

    about = "images in [0, 1], with 1 or 3 channels"
    image = Tensor("float32", (None, None, None, None), about, True, (0.0, 1.0))
    larger = replace(image, about=f"images upscaled by {model.scale}")
    about = "Upscaled images: luminance by the network, chroma bicubic"
    return Signature(about, {"image": image}, {"image": larger}, function, {"image": shown})


def restore(model: Any, shown: np.ndarray, classes: Sequence[str]) -> Signature:
    """Denoised images, or inpainted images with masks."""
    inputs, outputs = from_image_to_image(model)
    if model.task != "inpaint":
        about = "Denoised images"
        return Signature(about, inputs, outputs, lambda image: {"image": model(image)}, {"image": shown})
    inputs["mask"] = Tensor("float32", (None, None, None, 1), "not 0 where a pixel is missing", True)
    hole = np.zeros_like(shown[..., :1])
    hole[:, 10:22, 8:20] = 1.0

    def function(image: tf.Tensor, mask: tf.Tensor) -> dict[str, Any]:
        fits = tf.reduce_all(tf.shape(mask)[1:3] == tf.shape(image)[1:3])
        mask = checked(mask, fits, "`mask` must have the size of its image. Received: another size")
        return {"image": model(tf.concat([image, mask], axis=3))}

    return Signature("Inpainted images", inputs, outputs, function, {"image": shown, "mask": hole})


def stylize(model: Any, shown: np.ndarray, classes: Sequence[str]) -> Signature:
    """Stylized images: in the style of other images, or with weights for the learned styles of the model."""
    inputs, outputs = from_image_to_image(model)
    if not hasattr(model, "styles"):
        inputs["style"] = replace(images_of(model), about="style images, one per image")
        given = {"image": shown, "style": shown[::-1]}
        return Signature(
            "Images in the style of other images",
            inputs,
            outputs,
            lambda image, style: {"image": model.painted(image, style)},
            given,
        )
    names = ", ".join(model.styles)
    shape = None, max(1, len(model.styles))
    inputs["style"] = Tensor("float32", shape, f"weight >= 0 of each style: {names}", limits=(0.0, FINITE[1]))
    example = one_hot_in_turn(len(shown), max(1, len(model.styles)))

    def function(image: tf.Tensor, style: tf.Tensor) -> dict[str, Any]:
        total = tf.reduce_sum(style, axis=1, keepdims=True)
        total = checked(total, total > 0.0, "`style` must have a positive weight for each image. Received: none")
        return {"image": model.painted(image, style / total)}

    return Signature("Images in the style of paintings", inputs, outputs, function, {"image": shown, "style": example})


def enhance(model: Any, shown: np.ndarray, classes: Sequence[str]) -> Signature:
    """Enhanced images, with a strength for each."""
    inputs, outputs = from_image_to_image(model)
    inputs["strength"] = Tensor(
        "float32",
        (None,),
        "strength for each image, from 0 (unchanged) to 2; 1 is the trained strength",
        limits=(0.0, 2.0),
    )
    example = {"image": shown, "strength": np.linspace(0.5, 1.0, len(shown), dtype=np.float32)}

    def function(image: tf.Tensor, strength: tf.Tensor) -> dict[str, Any]:
        return {"image": model.enhanced(image, strength)}

    return Signature("Images with corrected exposure, contrast and color", inputs, outputs, function, example)


def encode(model: Any, shown: np.ndarray, classes: Sequence[str]) -> Signature:
    """The codes of images."""
    about = "Codes of images" + ("; their labels are inferred" if has_labels(model) else "")
    code = {"code": code_of(model)}
    example: dict[str, Any] = {"image": shown}
    return Signature(about, {"image": images_of(model)}, code, lambda image: {"code": model.encoded(image)}, example)


def decode(model: Any, shown: np.ndarray, classes: Sequence[str]) -> Signature:
    """Codes to images, with labels if there are classes."""
    code, rng = code_of(model), np.random.default_rng(0)
    example: dict[str, Any]
    if code.dtype == "int32":
        example = {"code": rng.integers(model.codes, size=(4, *model.grid)).astype(np.int32)}
    else:
        example = {"code": rng.standard_normal((4, model.latent_dim), dtype=np.float32)}
    inputs = {"code": code}
    if has_labels(model):
        inputs["labels"] = labels_of(model)
        example["labels"] = np.arange(4, dtype=np.int32) % model.classes

    def function(code: tf.Tensor, labels: tf.Tensor | None = None) -> dict[str, Any]:
        return {"image": decoded(model, code, labels)}

    return Signature("Images from codes", inputs, {"image": images_of(model)}, function, example)


def generate(model: Any, shown: np.ndarray, classes: Sequence[str]) -> Signature:
    """New images from a seed: n of them, or one for each label."""
    inputs = {"seed": Tensor("int64", (), "random seed; equal seeds give equal images, within this export")}
    example: dict[str, Any] = {"seed": np.int64(0)}
    if has_labels(model):
        inputs["labels"] = labels_of(model)
        example["labels"] = np.arange(4, dtype=np.int32) % model.classes
    else:
        inputs["n"] = Tensor("int32", (), f"number of images, 1 to {MOST}")
        example["n"] = np.int32(4)
    draw = drawing(model)

    def function(seed: tf.Tensor, n: tf.Tensor | None = None, labels: tf.Tensor | None = None) -> dict[str, Any]:
        n = tf.shape(labels)[0] if n is None else n
        rule = f"The number of images must be between 1 and {MOST}. Received: another number"
        code = draw(checked(n, (n >= 1) & (n <= MOST), rule), seed)
        return {"image": decoded(model, code, labels), "code": code}

    outputs = {"image": images_of(model), "code": replace(code_of(model), about="codes of the images, as for `decode`")}
    return Signature("Generated images", inputs, outputs, function, example)


# -- shared parts ---------------------------------------------------------------------------------------------------


def has_labels(model: Any) -> bool:
    """Whether a model takes labels."""
    return getattr(model, "classes", 0) > 0


def images_of(model: Any) -> Tensor:
    """Images in the image shape of a model."""
    limits = (-1.0, 2.0) if model.task == "restore" else (0.0, 1.0)  # noise takes images out of [0, 1]
    return Tensor("float32", (None, *model.image_shape), "images in [0, 1]", True, limits)


def from_image_to_image(model: Any) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The inputs and outputs of an image-to-image model."""
    return {"image": images_of(model)}, {"image": images_of(model)}


def labels_of(model: Any) -> Tensor:
    """The labels of a model."""
    last = model.classes - 1
    return Tensor("int32", (None,), f"classes, 0 to {last}", limits=(0, last))


def code_of(model: Any) -> Tensor:
    """The codes of a model: latent vectors, or indices into a codebook."""
    if hasattr(model, "codebook"):
        return Tensor("int32", (None, *model.grid), f"codes, 0 to {model.codes - 1}", limits=(0, model.codes - 1))
    return Tensor("float32", (None, model.latent_dim), "latent vectors", limits=FINITE)


def decoded(model: Any, code: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
    """The images of codes, with labels for a conditional model."""
    return model.decoded(code) if labels is None else model.decoded(code, tf.one_hot(labels, model.classes))


def drawing(model: Any) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A function (n, seed) that draws n codes from the prior of a model, with stateless random numbers."""

    def normal(n: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_normal((n, model.latent_dim), tf.stack([seed, 0]), alg="philox")

    if hasattr(model, "codebook"):
        return tf.function(lambda n, seed: grids(model, n, seed), autograph=False)
    if getattr(model, "prior", "normal") == "normal":
        return normal
    # The mixture is computed once, so that neither its pseudo-inputs nor the encoder are exported.
    means, log_variances = (ops.convert_to_numpy(part) for part in model.components())

    def of_mixture(n: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        count = tf.constant(len(means))
        chosen = tf.random.stateless_uniform((n,), tf.stack([seed, 1]), 0, count, tf.int32, alg="philox")
        return tf.gather(means, chosen) + tf.exp(0.5 * tf.gather(log_variances, chosen)) * normal(n, seed)

    return of_mixture


def grids(model: Any, n: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """n grids of codes (n, rows, columns) from the prior of a VQ-VAE, one position at a time."""
    rows, columns = model.grid
    chances = tf.random.stateless_uniform((rows, columns, n, 1), tf.stack([seed, 0]), alg="philox")

    def with_row(row: tf.Tensor, codes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        across = [tf.gather(each, [row], axis=1) for each in model.prior.down(codes)]

        def with_code(column: tf.Tensor, drawn: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            logits = tf.gather(model.prior.along(drawn[:, None], across)[:, 0], column, axis=1)  # (n, codes)
            passed = tf.cumsum(tf.nn.softmax(logits), axis=1) < chances[row, column]
            code = tf.reduce_sum(tf.cast(passed, tf.int32), axis=1)
            code = tf.minimum(code, model.codes - 1)  # the cumulative sum may round to below 1
            return column + 1, tf.where(tf.range(columns) == column, code[:, None], drawn)

        drawn = loop(columns, with_code, tf.zeros((n, columns), tf.int32))
        return row + 1, tf.where((tf.range(rows) == row)[:, None], drawn[:, None], codes)

    def loop(count: int, body: Callable, start: tf.Tensor) -> tf.Tensor:
        shapes = tf.TensorShape(()), start.shape
        return tf.while_loop(lambda i, _: i < count, body, (tf.constant(0), start), shapes)[1]

    return loop(rows, with_row, tf.zeros((n, rows, columns), tf.int32))


# -- files -------------------------------------------------------------------------------------------------------------


def of_files(signature: Signature) -> Signature:
    """The signature with files in place of images; images of any size are processed one by one."""
    into = {name: tensor for name, tensor in signature.inputs.items() if tensor.pictures}
    out = {name for name, tensor in signature.outputs.items() if tensor.pictures}
    shapes = {name: (*tensor.shape[1:3], tensor.shape[3] or 3) for name, tensor in into.items()}
    readers = {name: mask_from_bytes if name == "mask" else from_bytes for name in into}

    def whole(**given: Any) -> dict[str, Any]:
        """The outputs of a batch, resized to one size."""
        shown = {
            name: tf.map_fn(
                partial(readers[name], shape=shape),
                given.pop(f"{name}_bytes"),
                fn_output_signature=tf.TensorSpec(shape, tf.float32),
            )
            for name, shape in shapes.items()
        }
        made = signature.function(**shown, **given)
        return {
            (f"{k}_bytes" if k in out else k): tf.map_fn(to_bytes, v, fn_output_signature=tf.string) if k in out else v
            for k, v in made.items()
        }

    def single(files: dict[str, Any]) -> dict[str, Any]:
        shown = {name: readers[name](files.pop(f"{name}_bytes"), shape) for name, shape in shapes.items()}
        made = signature.function(**{name: value[None] for name, value in {**shown, **files}.items()})
        return {f"{name}_bytes": to_bytes(image[0]) for name, image in made.items()}

    def one_by_one(**given: Any) -> dict[str, Any]:
        return tf.map_fn(single, given, fn_output_signature={f"{name}_bytes": tf.string for name in out})

    free = any(None in shape for shape in shapes.values())

    def named(tensors: dict[str, Tensor], kind: str) -> dict[str, Tensor]:
        return {
            (f"{k}_bytes" if v.pictures else k): (Tensor("string", (None,), f"{kind}: {v.about}") if v.pictures else v)
            for k, v in tensors.items()
        }

    example = {
        (f"{k}_bytes" if k in into else k): (files_of(v) if k in into else v) for k, v in signature.example.items()
    }
    sizes = "; of any sizes" if free else "; the middle, resized to the sides of the model" if into else ""
    return Signature(
        f"{signature.about}, as files",
        named(signature.inputs, f"PNG or JPEG files{sizes}"),
        named(signature.outputs, "PNG files"),
        one_by_one if free else whole,
        example,
    )


def files_of(images: np.ndarray) -> np.ndarray:
    """float32 images (n, height, width, channels) as PNG files, an array of n byte strings."""
    return np.array([png_bytes(image) for image in images])
