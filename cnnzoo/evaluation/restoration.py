"""Scores of models that enlarge, denoise, enhance or fill holes, beside those of methods that need no training."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cnnzoo.data import training_images
from cnnzoo.data.catalog import TRAINING, default_test_sets
from cnnzoo.data.photographs import Photographs, photographs
from cnnzoo.evaluation import classical
from cnnzoo.features.distance import PerceptualDistance
from cnnzoo.imaging import masks
from cnnzoo.imaging.arrays import to_uint8
from cnnzoo.imaging.degradations import exposed, misexposed
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
from cnnzoo.tasks.inference import in_batches

CROP = 64  # pixels a side of the middles of photographs that are given holes
HOLES = 2000  # images that are given holes
SIGMAS = (15.0, 25.0, 50.0)  # at which a blind denoiser is measured
EXPOSURES = {"mixed": None, "under": -2.0, "over": 1.0, "well": 0.0}  # in stops (EV); None: drawn for each image
SHOWN = "Y-shave"  # the protocol of most papers

Progress = Callable[[int, int], None]
Method = Callable[[Any], np.ndarray]  # of an image, or of one and its mask


def sets_of(model: Any, data: str, split: str) -> tuple[str, ...]:
    """The data sets that a model is tested on: `data`, or the default test sets for a set of training photographs."""
    if split != "test" or any(part not in TRAINING for part in data.split("+")):
        return (data,)
    return default_test_sets(model.task, model.image_shape[2])


def enlarging(model, found: Photographs, progress: Progress | None = None, beside: bool = True) -> list[Score]:
    """PSNR, SSIM and perceptual distance of photographs made small and enlarged again.

    The small images are antialiased bicubic ones of 256 grey values, as in `cnnzoo.imaging.resampling`; sides that are
    no multiples of the scale are cut first. Without `beside`, only PSNR and SSIM of the model itself.
    """
    scale = model.scale
    truths = [crop_to_multiple(image, scale) for image in found.images]
    small = [to_uint8(downscale(image[None] / np.float32(255), scale)[0]) for image in truths]
    methods: dict[str, Method] = {"": model.upscale}
    if beside:
        methods["bicubic"] = lambda image: classical.bicubic(image, scale)
        methods["lanczos"] = lambda image: classical.lanczos(image, scale)
    made = _made(methods, small, progress)
    base = {"data": found.name, "scale": scale, "small images": "antialiased bicubic, 8 bit"}
    scores = []
    for method, images in made.items():
        for protocol in ("Y-shave", "Y-noshave", "RGB-shave") if not method else (SHOWN,):
            pairs = [[prepare(image, protocol, scale) for image in side] for side in (truths, images)]
            about = {**base, "protocol": protocol}
            suffix = "" if protocol == SHOWN else f"_{protocol.lower().replace('-', '_')}"
            scores.append(_mean(_name(method, "psnr", found.name) + suffix, psnr_per_image(*pairs), "dB", about))
            if protocol == SHOWN:
                scores.append(_mean(_name(method, "ssim", found.name), ssim_per_image(*pairs), "", about))
    if not beside:
        return scores
    distance = PerceptualDistance()
    about = {**base, **distance.protocol}
    if getattr(model, "loss_network", None) == distance.network:
        about["caution"] = "the model was trained to match the maps of this network"
    for method, images in made.items():
        values = np.concatenate([distance(a[None], b[None]) for a, b in zip(truths, images, strict=True)])
        scores.append(_mean(_name(method, "perceptual", found.name), values, "", about, "lower"))
    return scores


def denoising(model, found: Photographs, progress: Progress | None = None, beside: bool = True) -> list[Score]:
    """PSNR and SSIM of photographs behind Gaussian noise, which is neither clipped nor rounded.

    Without `beside`, only of the model itself.
    """
    sigmas = SIGMAS if isinstance(model.sigma, tuple) else (model.sigma,)
    scores = []
    for sigma in sigmas:
        noisy = []
        for index, image in enumerate(found.images):
            noise = np.random.default_rng(index).standard_normal(image.shape, dtype=np.float32)
            noisy.append(image / np.float32(255) + sigma / np.float32(255) * noise)
        methods: dict[str, Method] = {"": model.restore}
        if beside:
            methods["non_local_means"] = lambda image, sigma=sigma: classical.non_local_means(image, sigma)
            methods["total_variation"] = lambda image, sigma=sigma: classical.total_variation(image, sigma)
        about = {
            "data": found.name,
            "sigma": sigma,
            "noise": "NumPy default_rng(index of the image), neither clipped nor rounded",
            "channels": "grey" if model.image_shape[2] == 1 else "RGB",
        }
        truths = [image / 255 for image in found.images]
        for method, images in _made(methods, noisy, progress).items():
            images = [image / 255 for image in images]
            suffix = f"_s{sigma:g}"
            psnr, ssim = psnr_per_image(truths, images), ssim_per_image(truths, images)
            scores.append(_mean(_name(method, "psnr", found.name) + suffix, psnr, "dB", about))
            scores.append(_mean(_name(method, "ssim", found.name) + suffix, ssim, "", about))
    return scores


def enhancing(model, found: Photographs, progress: Progress | None = None, beside: bool = True) -> list[Score]:
    """PSNR and SSIM, in RGB, of mis-exposed photographs of 8 bits that have been enhanced, for each of the exposures.

    Without `beside`, only of the model itself; else also of the pictures as they are, and of two equalisations.
    """
    methods: dict[str, Method] = {"": model.enhance}
    if beside:
        methods |= {"unchanged": np.asarray, "equalized": classical.equalized, "clahe": classical.clahe}
    truths, scores = [image / 255 for image in found.images], []
    for name, stops in EXPOSURES.items():
        given = []
        for index, image in enumerate(found.images):
            light = image[None] / np.float32(255)
            given.append(to_uint8((misexposed(light, index) if stops is None else exposed(light, stops))[0]))
        about = {"data": found.name, "exposure": "mixed" if stops is None else f"{stops:+g} EV", "channels": "RGB"}
        if stops is None:
            about["drawn by"] = "cnnzoo.imaging.degradations.misexposed, seed: the index of the image"
        shown = {method: work for method, work in methods.items() if method != "unchanged" or stops != 0}
        for method, images in _made(shown, given, progress).items():
            images = [image / 255 for image in images]
            psnr, ssim = psnr_per_image(truths, images), ssim_per_image(truths, images)
            scores.append(_mean(f"{_name(method, 'psnr', found.name)}_{name}", psnr, "dB", about))
            scores.append(_mean(f"{_name(method, 'ssim', found.name)}_{name}", ssim, "", about))
    return scores


def filling(model, name: str, images: np.ndarray, progress: Progress | None = None, beside: bool = True) -> list[Score]:
    """PSNR and SSIM over the missing pixels of images (n, height, width, channels), for each kind of mask and all.

    The squared errors of all images are averaged before the logarithm, since a hole in an even background may be filled
    without any error. Without `beside`, only of the model itself.
    """
    base = {"data": name, "size": list(images.shape[1:]), "masks": "cnnzoo.imaging.masks.for_evaluation, seed 0"}
    methods: dict[str, Method] = {"biharmonic": lambda pair: classical.biharmonic(*pair)} if beside else {}
    truths, scores, errors = images / 255, [], {}
    for kind in masks.EVALUATED:
        hidden = masks.for_evaluation(images, kind)
        pairs = list(zip(images, hidden, strict=True))
        made = {"": filled_by(model, images, hidden), **_made(methods, pairs, progress)}
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


def to_fill(model, name: str, split: str = "test", limit: int | None = None):
    """What is given holes: the images of a set, or the middles of photographs, at most `limit` or else `HOLES`."""
    return training_images(name, split, model.image_shape, CROP).few(limit or HOLES)


def filled_by(model, images: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """uint8 images (n, height, width, channels) with what a model makes of their missing pixels."""
    shown = np.where(hidden, 0, images)
    return to_uint8(in_batches(model, np.concatenate([shown, hidden.astype(np.uint8)], axis=3)))


def measure(model, data: str, split: str, limit: int | None, progress: Progress | None) -> list[Score]:
    """All scores of a model of the task "upscale", "restore", "enhance" or "inpaint" on `sets_of` it."""
    scores = []
    for name in sets_of(model, data, split):
        if model.task == "inpaint":
            found = to_fill(model, name, split, limit)
            scores += filling(model, found.name, found.images, progress)
        else:
            channels = None if model.task == "upscale" else model.image_shape[2]
            found = photographs(name, split, channels).few(limit)
            _check_sides(found, WINDOW + 2 * (model.scale if model.task == "upscale" else 0))
            scores += MEASURED[model.task](model, found, progress)
    return scores


def _check_sides(found: Photographs, least: int) -> None:
    """Raises a ValueError that names the photographs too small for SSIM, whose border may be shaved."""
    small = [name for name, image in zip(found.names, found.images, strict=True) if min(image.shape[:2]) < least]
    if small:
        more = f" and {len(small) - 3} more" if len(small) > 3 else ""
        names = f"{', '.join(small[:3])}{more}"
        raise ValueError(f"got {names} of {found.name} with a side below {least} pixels; allowed: {least} or more")


# Of whole photographs, by task.
MEASURED = {"upscale": enlarging, "restore": denoising, "enhance": enhancing}


def _made(methods: Mapping[str, Method], images: Sequence[Any], progress) -> dict[str, list[np.ndarray]]:
    """What each method makes of each image, as it would be written to a file: uint8."""
    made: dict[str, list[np.ndarray]] = {method: [] for method in methods}
    for done, image in enumerate(images, start=1):
        for method, work in methods.items():
            made[method].append(to_uint8(work(image)))
        if progress is not None:
            progress(done, len(images))
    return made


def _name(method: str, quantity: str, data: str) -> str:
    """ "psnr_set5" of a model, "bicubic_psnr_set5" of another method."""
    return "_".join(part for part in (method, quantity, data.rpartition("/")[2]) if part)


def _mean(name: str, values: np.ndarray, unit: str, protocol: dict[str, Any], better: str = "higher") -> Score:
    return Score(name, float(values.mean()), unit, better, len(values), protocol={**protocol, "mean over": "images"})


def _pooled(name: str, squared: np.ndarray, protocol: dict[str, Any]) -> Score:
    """The PSNR of squared errors, the last axis of which are the images; those of several masks count alike."""
    value = float(-10.0 * np.log10(squared.mean(axis=-1)).mean())
    return Score(name, value, "dB", "higher", squared.shape[-1], protocol={**protocol, "mean over": "squared errors"})
