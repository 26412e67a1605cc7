"""Transparent pictures for networks that know no transparency."""

import numpy as np

FAINT = 32  # a pixel below 1 / FAINT of full opacity shows too little of its color to be gone by


def flattened(pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """A picture laid on white paper, or on black if the mean of its visible colors is lighter than middle gray.

    Args:
        pixels: uint8 or uint16 (height, width, channels).
        alpha: Its opacity, (height, width) of the same dtype; None and full opacity leave the pixels as they are.

    Returns:
        As `pixels`.
    """
    full = np.iinfo(pixels.dtype).max
    if alpha is None or alpha.min() == full:
        return pixels
    light = alpha.any() and np.average(pixels.mean(axis=2, dtype=np.float32), weights=alpha) > full / 2
    made, clear = pixels.copy(), alpha < full
    share = alpha[clear][:, None] / np.float32(full)
    made[clear] = np.rint(share * pixels[clear] + (1 - share) * (0 if light else full))
    return made


def bled(pixels: np.ndarray, alpha: np.ndarray | None, missing: np.ndarray | None = None) -> np.ndarray:
    """A picture whose transparent pixels have the color of the nearest visible one.

    Whatever is made of it by a network that resamples or convolves has no fringe, and nothing of the colors beneath
    transparency. Multiplying by alpha would not do: the network would see black edges, and what it makes of them is not
    what bicubic resampling makes of alpha, so that dividing it out again would leave a fringe.

    Args:
        pixels, alpha: As for `flattened`.
        missing: Booleans (height, width), where the color is not to be gone by either.

    Returns:
        As `pixels`; visible pixels are as they were.
    """
    if alpha is None:
        return pixels
    seen = alpha >= np.iinfo(alpha.dtype).max // FAINT
    if seen.all():
        return pixels
    known = seen if missing is None else seen & ~missing
    if not known.any():
        known = alpha > 0 if missing is None else (alpha > 0) & ~missing
    return np.where(seen[..., None], pixels, from_nearest(pixels, known))


def from_nearest(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Values (height, width, ...) where `known` (height, width) is true, elsewhere those of the nearest such place."""
    from scipy.ndimage import distance_transform_edt

    if known.all() or not known.any():
        return values
    rows, columns = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return values[rows, columns]
