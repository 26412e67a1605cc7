"""The task base of style transfer: content, style and total-variation losses."""

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops

from cnnzoo.features.maps import FeatureMaps
from cnnzoo.nn.losses import gram_matrix, mean_and_deviation, total_variation
from cnnzoo.tasks.sharing import Shared

STATISTICS: dict[str, Callable] = {"gram": gram_matrix, "moments": mean_and_deviation}
TINY = 1e-6  # against division by zero for constant images


class Targets(NamedTuple):
    """The targets of content and style."""

    content: Any  # the map of the content layer, (n, h, w, c)
    style: list  # the statistic of each style layer, (n, ...)
    places: list  # spatial weights per style layer, or None


class StyleOutputs(NamedTuple):
    """A stylized image, its feature maps and its targets."""

    picture: Any  # (n, height, width, 1 or 3)
    maps: dict  # its feature maps by layer
    targets: Targets


class Stylizer(Shared):
    """Style transfer with relative content and style losses in a feature network.

    The content loss is |F - F_c|^2 / |F_c - mean F_c|^2 for the map F of the content layer; the style loss is the mean
    over the style layers of |S - S_s|^2 / |S_s|^2 for a statistic S of the map. The normalization makes losses
    comparable between layers and networks: 1 for no agreement with the target.

    Args:
        network: The feature extractor; see `cnnzoo.features.maps.FeatureMaps`.
        statistic: "gram", or "moments": mean and standard deviation of each feature (Huang and Belongie, 2017).
        content_weight, style_weight, variation_weight: Weights of content, style and total variation.

    Raises:
        ValueError: For an unknown statistic.
    """

    task = "stylize"
    log_names = ("content", "style", "variation")
    maps: FeatureMaps

    def __init__(
        self,
        *,
        network: str = "vgg_small.cifar10",
        statistic: str = "gram",
        content_weight: float = 1.0,
        style_weight: float = 50.0,
        variation_weight: float = 3.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if statistic not in STATISTICS:
            raise ValueError(f"`statistic` must be one of {', '.join(STATISTICS)}. Received: {statistic!r}")
        self.network, self.statistic = network, statistic
        self.content_weight, self.style_weight = content_weight, style_weight
        self.variation_weight = variation_weight

    def statistics(self, maps: dict, places: list | None = None) -> list:
        """The statistic of each style layer, (n, ...), with optional spatial weights."""
        names = self.maps.style_layers
        places = places or [None] * len(names)
        return [STATISTICS[self.statistic](maps[name], p) for name, p in zip(names, places, strict=True)]

    def stylization_loss(self, seen: StyleOutputs) -> Any:
        """The weighted sum of content, style and total variation, and the three terms, all (n,)."""
        wanted = seen.targets.content
        spread = ops.mean(ops.square(wanted - ops.mean(wanted, (1, 2), keepdims=True)), (1, 2, 3))
        error = ops.mean(ops.square(seen.maps[self.maps.content_layer] - wanted), (1, 2, 3))
        content = error / (spread + TINY)
        pairs = list(zip(self.statistics(seen.maps, seen.targets.places), seen.targets.style, strict=True))
        style = sum(_relative_error(*pair) for pair in pairs) / len(pairs)
        variation = total_variation(seen.picture)
        total = self.content_weight * content + self.style_weight * style + self.variation_weight * variation
        return total, {"content": content, "style": style, "variation": variation}


def _relative_error(found: Any, wanted: Any) -> Any:
    """|found - wanted|^2 / |wanted|^2 for each row of (n, ...)."""
    axes = tuple(range(1, len(wanted.shape)))
    return ops.sum(ops.square(found - wanted), axes) / (ops.sum(ops.square(wanted), axes) + TINY)
