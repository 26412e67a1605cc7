"""Scores of super-resolution, denoising, exposure correction and inpainting, and of classical baselines."""

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, cast

import numpy as np

from cnnzoo.data import training_images
from cnnzoo.data.catalog import TRAINING, default_test_sets
from cnnzoo.data.photographs import Photographs, photographs
from cnnzoo.evaluation import classical
from cnnzoo.evaluation.options import Options, Progress
from cnnzoo.features.distance import PerceptualDistance
from cnnzoo.imaging import masks
from cnnzoo.imaging.arrays import to_uint8
from cnnzoo.imaging.degradations import exposed, misexposed
from cnnzoo.imaging.files import read_image
from cnnzoo.imaging.resampling import crop_to_multiple, downscale
from cnnzoo.metrics.reconstruction import (
    WINDOW,
    hole_mse_per_image,
    hole_ssim_per_image,
    prepare,
    psnr_per_image,
    ssim_per_image,
)
from cnnzoo.metrics.scores import Score
from cnnzoo.tasks.compiled import in_batches
from cnnzoo.tasks.inference import called

CROP = 64  # side in pixels of the central crops for inpainting
HOLES = 2000  # images for inpainting, at most
QUALITIES = (50, 75, 92)  # of JPEG, for super-resolution of real photographs
SIGMAS = (15.0, 25.0, 50.0)  # noise levels for a blind denoiser
EXPOSURES = {"mixed": None, "under": -2.0, "over": 1.0, "well": 0.0}  # in stops (EV); None: random for each image
MAIN_PROTOCOL = "Y-shave"  # the protocol of most papers

Method = Callable[[Any], np.ndarray]  # of an image, or of (image, mask)


def evaluation_sets(model: Any, data: str, split: str) -> tuple[str, ...]:
    """The data sets that a model is tested on: `data`, or the default test sets for a set of training photographs."""
    if split != "test" or any(part not in TRAINING for part in data.split("+")):
        return (data,)
    return default_test_sets(model.task, model.image_shape[2])


def upscaling(model: Any, found: Photographs, progress: Progress | None = None, baselines: bool = True) -> list[Score]:
    """PSNR, SSIM and perceptual distance of downscaled photographs after super-resolution.

    LR images are 8-bit and antialiased bicubic, as in `cnnzoo.imaging.resampling`; sides are first cut to multiples of
    the scale. For a model of real photographs also PSNR and SSIM for LR images in JPEG files. Without `baselines`: PSNR
    and SSIM of the model alone.
    """
    scale = model.scale
    truths = [crop_to_multiple(image, scale) for image in found.images]
    small = [to_uint8(downscale(image[None] / np.float32(255), scale)[0]) for image in truths]
    methods: dict[str, Method] = {"": model.upscale}
    if baselines:
        methods["bicubic"] = lambda image: classical.bicubic(image, scale)
        methods["lanczos"] = lambda image: classical.lanczos(image, scale)
    made = _outputs(methods, small, progress)
    base = {"data": found.name, "scale": scale, "small images": "antialiased bicubic, 8 bit"}
    scores = []
    for method, images in made.items():
        for protocol in ("Y-shave", "Y-noshave", "RGB-shave") if not method else (MAIN_PROTOCOL,):
            scores += _of_enlarged(method, truths, images, {**base, "protocol": protocol})
    if getattr(model, "degradation", "bicubic") == "real":
        methods.pop("lanczos", None)
        for quality in QUALITIES:
            about = {**base, "jpeg": quality, "written by": "Pillow, 4:2:0", "protocol": MAIN_PROTOCOL}
            for method, images in _outputs(methods, [_through_jpeg(image, quality) for image in small], None).items():
                scores += _of_enlarged(method, truths, images, about)
    if not baselines:
        return scores
    distance = PerceptualDistance()
    about = {**base, **distance.protocol}
    if getattr(model, "loss_network", None) == distance.network:
        about["caution"] = "the model was trained to match the maps of this network"
    for method, images in made.items():
        values = np.concatenate([distance(a[None], b[None]) for a, b in zip(truths, images, strict=True)])
        scores.append(_mean(_name(method, "perceptual", found.name), values, "", about, "lower"))
    return scores


def _of_enlarged(
    method: str, truths: Sequence[np.ndarray], images: Sequence[np.ndarray], about: dict[str, Any]
) -> list[Score]:
    """The PSNR of upscaled images by a protocol; by the main one also the SSIM."""
    protocol, data = about["protocol"], about["data"]
    pairs = [[prepare(image, protocol, about["scale"]) for image in side] for side in (truths, images)]
    suffix = "" if protocol == MAIN_PROTOCOL else f"_{protocol.lower().replace('-', '_')}"
    suffix += f"_q{about['jpeg']}" if "jpeg" in about else ""
    scores = [_mean(_name(method, "psnr", data) + suffix, psnr_per_image(*pairs), "dB", about)]
    if protocol == MAIN_PROTOCOL:
        scores.append(_mean(_name(method, "ssim", data) + suffix, ssim_per_image(*pairs), "", about))
    return scores


def _through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """A uint8 image (height, width, 1 or 3) after writing and reading a JPEG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(file, "JPEG", quality=quality)
    return read_image(file.getvalue())


def denoising(model: Any, found: Photographs, progress: Progress | None = None, baselines: bool = True) -> list[Score]:
    """PSNR and SSIM of denoised photographs, for Gaussian noise that is neither clipped nor rounded.

    Without `baselines`: of the model alone.
    """
    sigmas = SIGMAS if isinstance(model.sigma, tuple) else (model.sigma,)
    scores = []
    for sigma in sigmas:
        noisy = []
        for index, image in enumerate(found.images):
            noise = np.random.default_rng(index).standard_normal(image.shape, dtype=np.float32)
            noisy.append(image / np.float32(255) + sigma / np.float32(255) * noise)
        methods: dict[str, Method] = {"": model.restore}
        if baselines:
            methods["non_local_means"] = partial(classical.non_local_means, sigma=sigma)
            methods["total_variation"] = partial(classical.total_variation, sigma=sigma)
        about = {
            "data": found.name,
            "sigma": sigma,
            "noise": "NumPy default_rng(index of the image), neither clipped nor rounded",
            "channels": "gray" if model.image_shape[2] == 1 else "RGB",
        }
        truths = [image / 255 for image in found.images]
        for method, images in _outputs(methods, noisy, progress).items():
            images = [image / 255 for image in images]
            suffix = f"_s{sigma:g}"
            psnr, ssim = psnr_per_image(truths, images), ssim_per_image(truths, images)
            scores.append(_mean(_name(method, "psnr", found.name) + suffix, psnr, "dB", about))
            scores.append(_mean(_name(method, "ssim", found.name) + suffix, ssim, "", about))
    return scores


def enhancement(
    model: Any, found: Photographs, progress: Progress | None = None, baselines: bool = True
) -> list[Score]:
    """PSNR and SSIM in RGB of misexposed 8-bit photographs after enhancement, for each exposure.

    The baselines are the unchanged photographs and two histogram equalizations. Without `baselines`: the model alone.
    """
    methods: dict[str, Method] = {"": model.enhance}
    if baselines:
        methods |= {"unchanged": np.asarray, "equalized": classical.equalized, "clahe": classical.clahe}
    truths, scores = [image / 255 for image in found.images], []
    for name, stops in EXPOSURES.items():
        inputs = []
        for index, image in enumerate(found.images):
            light = image[None] / np.float32(255)
            inputs.append(to_uint8((misexposed(light, index) if stops is None else exposed(light, stops))[0]))
        about = {"data": found.name, "exposure": "mixed" if stops is None else f"{stops:+g} EV", "channels": "RGB"}
        if stops is None:
            about["drawn by"] = "cnnzoo.imaging.degradations.misexposed, seed: the index of the image"
        shown = {method: work for method, work in methods.items() if method != "unchanged" or stops != 0}
        for method, images in _outputs(shown, inputs, progress).items():
            images = [image / 255 for image in images]
            psnr, ssim = psnr_per_image(truths, images), ssim_per_image(truths, images)
            scores.append(_mean(f"{_name(method, 'psnr', found.name)}_{name}", psnr, "dB", about))
            scores.append(_mean(f"{_name(method, 'ssim', found.name)}_{name}", ssim, "", about))
    return scores


def inpainting(
    model: Any, name: str, images: np.ndarray, progress: Progress | None = None, baselines: bool = True
) -> list[Score]:
    """PSNR and SSIM over missing pixels of uint8 images (n, height, width, channels), for each kind of mask and all.

    Squared errors are averaged over images before the logarithm, since a hole in a plain background may have no error.
    Without `baselines`: of the model alone.
    """
    base = {"data": name, "size": list(images.shape[1:]), "masks": "cnnzoo.imaging.masks.for_evaluation, seed 0"}
    methods: dict[str, Method] = {"biharmonic": lambda pair: classical.biharmonic(*pair)} if baselines else {}
    truths, scores = images / 255, []
    errors: dict[str, list[np.ndarray]] = {}
    for kind in masks.EVALUATED:
        hidden = np.asarray(masks.for_evaluation(cast(Any, images), kind))  # one draw for the whole array
        pairs = list(zip(images, hidden, strict=True))
        made: dict[str, Any] = {"": inpainted_by(model, images, hidden), **_outputs(methods, pairs, progress)}
        about = {**base, "mask": kind, "missing": f"{hidden.mean():.1%}"}
        for method, filled in made.items():
            filled = [image / 255 for image in filled]
            squared = hole_mse_per_image(truths, filled, hidden)
            errors.setdefault(method, []).append(squared)
            scores.append(_pooled(f"{_name(method, 'hole_psnr', '')}_{kind}", squared, about))
            ssim = hole_ssim_per_image(truths, filled, hidden)
            scores.append(_mean(f"{_name(method, 'hole_ssim', '')}_{kind}", ssim, "", about))
    about = {**base, "mask": f"each of {', '.join(masks.EVALUATED)}"}
    return [*(_pooled(_name(method, "hole_psnr", ""), np.stack(e), about) for method, e in errors.items()), *scores]


def inpainting_images(model: Any, name: str, split: str = "test", limit: int | None = None) -> Any:
    """The images for inpainting: a data set or central crops of photographs, at most `limit` or else `HOLES`."""
    return training_images(name, split, model.image_shape, CROP).few(limit or HOLES).in_memory()


def inpainted_by(model: Any, images: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """uint8 images (n, height, width, channels) with their missing pixels filled by a model."""
    shown = np.where(hidden, 0, images)
    return to_uint8(in_batches(model, called, np.concatenate([shown, hidden.astype(np.uint8)], axis=3)))


def measure(model: Any, data: str, split: str, options: Options) -> list[Score]:
    """All scores of a model of the task "upscale", "restore", "enhance" or "inpaint" on its `evaluation_sets`.

    Raises:
        ValueError: A photograph is too small for SSIM.
    """
    scores: list[Score] = []
    for name in evaluation_sets(model, data, split):
        found = images(model, name, split, options.limit)
        if model.task == "inpaint":
            scores += inpainting(model, found.name, found.images, options.progress)
        else:
            scores += BY_TASK[model.task](model, found, options.progress)
    return scores


def images(model: Any, name: str, split: str, limit: int | None = None) -> Any:
    """The photographs, or the images for inpainting, of one data set that a model is tested on.

    Raises:
        ValueError: There are none, or a photograph is too small for SSIM.
    """
    if model.task == "inpaint":
        found = inpainting_images(model, name, split, limit)
    else:
        found = photographs(name, split, None if model.task == "upscale" else model.image_shape[2]).few(limit)
        _check_sides(found, WINDOW + 2 * (model.scale if model.task == "upscale" else 0))
    if not len(found.images):
        raise ValueError(f"The data must have an image or more in the split {split!r}. Received: 0 of {name}")
    return found


def _check_sides(found: Photographs, least: int) -> None:
    """Checks that SSIM fits into photographs after their border is shaved.

    Raises:
        ValueError: With the names of those too small.
    """
    small = [name for name, image in zip(found.names, found.images, strict=True) if min(image.shape[:2]) < least]
    if small:
        more = f" and {len(small) - 3} more" if len(small) > 3 else ""
        names = f"{', '.join(small[:3])}{more}"
        raise ValueError(
            f"Sides of photographs must be {least} pixels or more. Received: fewer in {names} of {found.name}"
        )


# Tasks that are measured on whole photographs.
BY_TASK: dict[str, Callable[..., list[Score]]] = {
    "upscale": upscaling,
    "restore": denoising,
    "enhance": enhancement,
}


def _outputs(
    methods: Mapping[str, Method], images: Sequence[Any], progress: Progress | None
) -> dict[str, list[np.ndarray]]:
    """The output of each method for each image, rounded to uint8 as in a file."""
    made: dict[str, list[np.ndarray]] = {method: [] for method in methods}
    for done, image in enumerate(images, start=1):
        for method, work in methods.items():
            made[method].append(to_uint8(work(image)))
        if progress is not None:
            progress(done, len(images))
    return made


def _name(method: str, quantity: str, data: str) -> str:
    """The name of a score: psnr_set5 of a model, bicubic_psnr_set5 of another method."""
    return "_".join(part for part in (method, quantity, data.rpartition("/")[2]) if part)


def _mean(
    name: str, values: np.ndarray, unit: str, protocol: dict[str, Any], better: Literal["higher", "lower"] = "higher"
) -> Score:
    return Score(name, float(values.mean()), unit, better, len(values), protocol={**protocol, "mean over": "images"})


def _pooled(name: str, squared: np.ndarray, protocol: dict[str, Any]) -> Score:
    """The PSNR of squared errors (..., images), averaged over the other axes after the logarithm."""
    value = float(-10.0 * np.log10(squared.mean(axis=-1)).mean())
    return Score(name, value, "dB", "higher", squared.shape[-1], protocol={**protocol, "mean over": "squared errors"})
