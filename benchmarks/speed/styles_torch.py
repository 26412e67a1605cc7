"""Style transfer in PyTorch: L-BFGS, as in its tutorial, and Adam, both from the content at its full size."""

from time import perf_counter
from typing import Any

import numpy as np
import torch

from cnnzoo.features.maps import FeatureMaps
from speed.torch_layers import Network, with_weights_of

LBFGS = {"max_iter": 1, "history_size": 10, "line_search_fn": "strong_wolfe"}


def optimized(goal: dict[str, Any], side: int, kind: str, target: float, limit: float) -> float:
    """Returns the seconds to a loss of at most `target`; infinite beyond `limit` seconds.

    Args:
        goal: The result of `speed.styles_keras.goal`.
        side: Side of the image, in pixels; unused.
        kind: "lbfgs" or "adam".
        target: The target loss.
        limit: Time limit in seconds.
    """
    maps = FeatureMaps(goal["network"])
    network = with_weights_of(Network(maps._model), maps._model).eval().requires_grad_(False)
    network = network.to(memory_format=torch.channels_last)
    style_layers = [maps.layers.index(name) for name in maps.style_layers]
    content_layer = maps.layers.index(maps.content_layer)
    wanted = torch.from_numpy(goal["wanted"]).movedim(3, 1)
    spread = (wanted - wanted.mean((2, 3), keepdim=True)).square().mean() + 1e-6
    statistics = [torch.from_numpy(np.asarray(statistic)) for statistic in goal["style"]]
    content_weight, style_weight, variation_weight = goal["weights"]
    picture = torch.from_numpy(goal["content"]).movedim(3, 1).contiguous().clone().requires_grad_()
    optimizer: Any = torch.optim.LBFGS([picture], **LBFGS) if kind == "lbfgs" else torch.optim.Adam([picture], 0.02)

    def loss() -> Any:
        found = network(picture.contiguous(memory_format=torch.channels_last))
        total = content_weight * (found[content_layer] - wanted).square().mean() / spread
        for layer, statistic in zip(style_layers, statistics, strict=True):
            rows = found[layer].flatten(2)
            gram = rows @ rows.transpose(1, 2) / rows.shape[2]
            error = (gram - statistic).square().sum() / (statistic.square().sum() + 1e-6)
            total = total + style_weight * error / len(statistics)
        steps = (picture[:, :, 1:] - picture[:, :, :-1], picture[:, :, :, 1:] - picture[:, :, :, :-1])
        variation = sum(torch.mean(torch.sqrt(d.square() + 0.03**2) - 0.03) for d in steps)
        return total + variation_weight * variation

    def closure() -> Any:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value.detach()

    begun = perf_counter()
    while (passed := perf_counter() - begun) < limit:
        value = float(optimizer.step(closure))  # the loss before the step
        if value <= target:
            return passed
        with torch.no_grad():
            picture.clamp_(0.0, 1.0)
    return float("inf")
