"""What is common to models that paint pictures in the style of others: what they lower."""

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops

from cnnzoo.features.maps import FeatureMaps
from cnnzoo.nn.losses import gram_matrix, mean_and_deviation, total_variation
from cnnzoo.phases import PhasedModel

STATISTICS: dict[str, Callable] = {"gram": gram_matrix, "moments": mean_and_deviation}
TINY = 1e-6  # so that a picture of one colour can be compared with


class Targets(NamedTuple):
    """What a picture is compared with."""

    content: Any  # the map of the content layer, (n, h, w, c)
    style: list  # the statistic of each style layer, (n, ...)
    places: list  # for each style layer the weights of its positions, or None for the same everywhere


class StyleOutputs(NamedTuple):
    """A picture beside its targets."""

    picture: Any  # (n, height, width, 1 or 3)
    maps: dict  # its maps, by their layers
    targets: Targets


class Stylizer(PhasedModel):
    """Knows how far a picture is from the content of one picture and the style of another.

    The loss of the content is |F - F_c|^2 / |F_c - mean F_c|^2 for the map F of the content layer; that of the style is
    the mean over the style layers of |S - S_s|^2 / |S_s|^2 for a statistic S of the map. So each layer's loss is of one
    size whatever the network: 1 where nothing of the target is met.

    Args:
        network: What sees the pictures; see `cnnzoo.features.maps.FeatureMaps`.
        statistic: "gram", or "moments": the mean and deviation of each feature, as Huang and Belongie, 2017, have it.
        content_weight, style_weight, variation_weight: Of the terms, the third being the total variation.

    Raises:
        ValueError: For an unknown statistic.
    """

    task = "stylize"
    log_names = ("content", "style", "variation")
    maps: FeatureMaps

    def __init__(
        self,
        *,
        network="vgg_small.cifar10",
        statistic="gram",
        content_weight=1.0,
        style_weight=50.0,
        variation_weight=3.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if statistic not in STATISTICS:
            raise ValueError(f"got statistic={statistic!r}; allowed: {', '.join(STATISTICS)}")
        self.network, self.statistic = network, statistic
        self.content_weight, self.style_weight = content_weight, style_weight
        self.variation_weight = variation_weight

    def statistics(self, maps: dict, places: list | None = None) -> list:
        """The statistic of each style layer, (n, ...), with the weights of its positions if there are any."""
        names = self.maps.style_layers
        places = places or [None] * len(names)
        return [STATISTICS[self.statistic](maps[name], p) for name, p in zip(names, places, strict=True)]

    def stylization_loss(self, seen: StyleOutputs):
        """content + style + total variation, each with its weight, and the three by themselves, all (n,)."""
        wanted = seen.targets.content
        spread = ops.mean(ops.square(wanted - ops.mean(wanted, (1, 2), keepdims=True)), (1, 2, 3))
        error = ops.mean(ops.square(seen.maps[self.maps.content_layer] - wanted), (1, 2, 3))
        content = error / (spread + TINY)
        pairs = list(zip(self.statistics(seen.maps, seen.targets.places), seen.targets.style, strict=True))
        style = sum(_relative_error(*pair) for pair in pairs) / len(pairs)
        variation = total_variation(seen.picture)
        total = self.content_weight * content + self.style_weight * style + self.variation_weight * variation
        return total, {"content": content, "style": style, "variation": variation}


def _relative_error(found, wanted):
    """|found - wanted|^2 / |wanted|^2 for each row of (n, ...)."""
    axes = tuple(range(1, len(wanted.shape)))
    return ops.sum(ops.square(found - wanted), axes) / (ops.sum(ops.square(wanted), axes) + TINY)
