"""Alpha channels: compositing and color bleeding, for networks without alpha."""

import numpy as np

FAINT = 32  # colors of pixels below 1 / FAINT of full opacity are unreliable


def flattened(pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Composites an image on white, or on black if its alpha-weighted mean is above middle gray.

    Args:
        pixels: uint8 or uint16 (height, width, channels).
        alpha: Opacity, (height, width) of the same dtype; None or full opacity returns the pixels unchanged.

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
    """Color bleeding: transparent pixels get the color of the nearest visible pixel.

    It prevents fringes after resampling or convolution, and leaks of colors under transparency. Premultiplied alpha
    would not: the network would see black edges and process them differently from the bicubic resampling of alpha, so
    that unpremultiplying would leave a fringe.

    Args:
        pixels, alpha: As for `flattened`.
        missing: Booleans (height, width) of further pixels with unreliable colors.

    Returns:
        As `pixels`; visible pixels are unchanged.
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
    """Values (height, width, ...), with each unknown place filled from the nearest known one."""
    from scipy.ndimage import distance_transform_edt

    if known.all() or not known.any():
        return values
    rows, columns = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return values[rows, columns]
