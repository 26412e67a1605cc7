"""Common PyTorch loops over modules with the layers of the zoo, in several forms and precisions.

LR and noisy inputs, masks and their smooth filling are prepared before the clock starts. The Keras loop of the
inpainter draws its masks within the step.
"""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from speed.cases import CASES, Case, built, images
from speed.torch_layers import Network, Painter
from speed.usual import PAIRS

FORMS = ("eager", "channels last", "compiled")
PRECISIONS = ("fp32", "bf16")

Step = Callable[..., Any]  # takes a batch of each array; updates the weights
_held: dict[str, Any] = {}


def prepare(name: str, steps: int, compiling: bool = True) -> tuple[str, dict[str, float]]:
    """Warms up a case in each form, and keeps the fastest.

    Returns:
        The name of the fastest form, and {form: milliseconds per step}.
    """
    case = CASES[name]
    model = built(case, 0)
    arrays = _channels_first(_arrays(case, model, steps))
    found: list[tuple[float, str, Any]] = []
    for form in FORMS if compiling else FORMS[:-1]:
        for precision in PRECISIONS:
            run = _running(case, model, arrays, steps, form, precision)
            run(3)
            found.append((run(5), f"{form}, {precision}", run))
    _, chosen, run = min(found, key=lambda entry: entry[0])
    _held["run"], _held["steps"] = run, steps
    return chosen, {form: 1000 * seconds / 5 for seconds, form, _ in found}


def run() -> float:
    return _held["run"](_held["steps"])


def _running(case: Case, model: Any, arrays: list, steps: int, form: str, precision: str) -> Callable[[int], float]:
    """Returns a function that takes a number of steps and returns their seconds."""
    torch.manual_seed(0)
    parts = {name: _module(getattr(model, name)) for name in case.work if name != "maps"}
    if "maps" in case.work:
        parts["maps"] = _module(model.maps._model).requires_grad_(False)
    if form != "eager":
        parts = {name: part.to(memory_format=torch.channels_last) for name, part in parts.items()}
        arrays = [x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x for x in arrays]
    called = {name: torch.compile(part) if form == "compiled" else part for name, part in parts.items()}
    step = LOOPS[case.loop](case, model, called)

    def run(count: int) -> float:
        order = torch.randperm(steps * case.batch)
        for i in range(count):
            if i == 2:  # the clock starts after the second step, as on the other sides
                begun = perf_counter()
            chosen = order[i * case.batch : (i + 1) * case.batch]
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                step(*(x[chosen] for x in arrays))
        return (perf_counter() - begun) / (count - 2) * count

    return run


def _module(network: Any) -> nn.Module:
    if type(network).__name__ == "Painter":
        return Painter(network)
    if type(network).__name__ == "Dense":
        return nn.Linear(network.kernel.shape[0], network.units)
    return Network(network)


def _arrays(case: Case, model: Any, steps: int) -> list[np.ndarray]:
    x, labels = images(case, steps * case.batch)
    if case.loop == "inpainter":
        return [*_with_holes(model, x), x]
    return list(PAIRS[case.loop](model, x, labels)) if case.loop in PAIRS else [x]


def _channels_first(arrays: list[np.ndarray]) -> list[torch.Tensor]:
    moved = (x.transpose(0, 3, 1, 2) if x.ndim == 4 else x for x in arrays)
    return [torch.from_numpy(np.ascontiguousarray(x)) for x in moved]


def _with_holes(model: Any, x: np.ndarray) -> tuple[np.ndarray, ...]:
    """Returns the input of the inpainter's network, the mask and the smooth filling."""
    from keras import ops

    from cnnzoo.imaging.masks import sample
    from cnnzoo.imaging.smooth_filling import smooth_filling

    mask = ops.convert_to_numpy(sample(model.masks, x.shape[:3], 0))
    smooth = ops.convert_to_numpy(smooth_filling(ops.convert_to_tensor(x), 1.0 - mask))
    seen = np.concatenate([(1 - mask) * (2 * x - 1), 1 - mask, 2 * smooth - 1], axis=-1)
    return seen, mask, smooth


# -- loops -------------------------------------------------------------------------------------------------------------


def _adam(parts: Any, rate: float, betas: tuple[float, float] = (0.9, 0.999)) -> torch.optim.Optimizer:
    return torch.optim.Adam([p for part in parts for p in part.parameters()], rate, betas, fused=True)


def _descend(loss: Any, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def _simple(case: Case, parts: dict, loss: Callable[..., Any], rate: float = 1e-3) -> Step:
    optimizer = _adam(parts.values(), rate)
    return lambda *batch: _descend(loss(*batch), optimizer)


def classifier(case: Case, model: Any, parts: dict) -> Step:
    return _simple(case, parts, lambda x, labels: functional.cross_entropy(parts["head"](parts["backbone"](x)), labels))


def autoencoder(case: Case, model: Any, parts: dict) -> Step:
    def loss(x: Any, target: Any) -> Any:
        return functional.mse_loss(torch.sigmoid(parts["decoder"](parts["encoder"](x))), target)

    return _simple(case, parts, loss)


def vae(case: Case, model: Any, parts: dict) -> Step:
    def loss(x: Any) -> Any:
        mean, log_variance = parts["encoder"](x).chunk(2, 1)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        logits = parts["decoder"](z)
        reconstruction = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = -0.5 * torch.sum(1 + log_variance - mean.square() - log_variance.exp())
        return (reconstruction + kl) / len(x)

    return _simple(case, parts, loss)


def upscaler(case: Case, model: Any, parts: dict) -> Step:
    distance = functional.mse_loss if case.architecture == "espcn_classic" else functional.l1_loss

    def loss(small: Any, x: Any) -> Any:
        return distance(functional.pixel_shuffle(parts["network"](small), model.scale), x)

    return _simple(case, parts, loss)


def denoiser(case: Case, model: Any, parts: dict) -> Step:
    return _simple(case, parts, lambda noisy, x: functional.mse_loss(noisy - parts["network"](noisy), x))


def inpainter(case: Case, model: Any, parts: dict) -> Step:
    def loss(seen: Any, mask: Any, smooth: Any, x: Any) -> Any:
        return torch.mean(torch.abs(mask * (x - smooth - 0.5 * parts["network"](seen))))

    return _simple(case, parts, loss)


def gan(case: Case, model: Any, parts: dict) -> Step:
    generator, discriminator = parts["generator"], parts["discriminator"]
    betas = (0.5, 0.999)
    d_optimizer, g_optimizer = _adam([discriminator], 2e-4, betas), _adam([generator], 2e-4, betas)
    bce = functional.binary_cross_entropy_with_logits

    def step(x: Any) -> None:
        zeros, ones = torch.zeros(len(x), 1), torch.ones(len(x), 1)
        fake = generator(torch.randn(len(x), model.latent_dim))
        d_loss = bce(discriminator(2.0 * x - 1.0).float(), (1.0 - model.label_smoothing) * ones)
        d_loss = d_loss + bce(discriminator(fake.detach()).float(), zeros)
        _descend(d_loss, d_optimizer)
        # As in PyTorch's DCGAN tutorial, the updated discriminator scores the same generated images.
        _descend(bce(discriminator(fake).float(), ones), g_optimizer)

    return step


def wgan_gp(case: Case, model: Any, parts: dict) -> Step:
    generator, critic = parts["generator"], parts["discriminator"]
    d_optimizer, g_optimizer = (_adam([part], 1e-4, (0.0, 0.9)) for part in (critic, generator))
    shares = model.critic_steps

    def step(x: Any) -> None:
        count = len(x) // shares
        for i in range(shares):
            real = 2.0 * x[i::shares] - 1.0
            fake = generator(torch.randn(count, model.latent_dim)).detach().float()
            between = (real + torch.rand(count, 1, 1, 1) * (fake - real)).requires_grad_()
            (slopes,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
            penalty = ((slopes.flatten(1).norm(dim=1) - 1.0) ** 2).mean()
            _descend(critic(fake).mean() - critic(real).mean() + 10.0 * penalty, d_optimizer)
        _descend(-critic(generator(torch.randn(count, model.latent_dim))).mean(), g_optimizer)

    return step


def fast_style(case: Case, model: Any, parts: dict) -> Step:
    painter, maps = parts["painter"], parts["maps"]
    optimizer = _adam([painter], 1e-3)
    names, styles = model.maps.layers, len(model.styles)
    style_layers = [names.index(name) for name in model.maps.style_layers]
    content_layer = names.index(model.maps.content_layer)
    goals = [torch.from_numpy(np.asarray(goal)) for goal in model.goals]

    def gram(x: Any) -> Any:
        rows = x.float().flatten(2)
        return rows @ rows.transpose(1, 2) / rows.shape[2]

    def relative(found: Any, wanted: Any) -> Any:
        return ((found - wanted).square().sum((1, 2)) / (wanted.square().sum((1, 2)) + 1e-6)).mean()

    def step(x: Any) -> None:
        chosen = torch.randint(styles, (len(x),))
        painted = painter(x, functional.one_hot(chosen, styles).float())
        with torch.no_grad():
            wanted = maps(x)[content_layer].float()
        found = maps(painted)
        spread = (wanted - wanted.mean((2, 3), keepdim=True)).square().mean()
        content = (found[content_layer].float() - wanted).square().mean() / (spread + 1e-6)
        pairs = zip(style_layers, goals, strict=True)
        style = sum(relative(gram(found[layer]), goal[chosen]) for layer, goal in pairs) / len(goals)
        variation = (painted[:, :, 1:] - painted[:, :, :-1]).abs().mean()
        variation = variation + (painted[:, :, :, 1:] - painted[:, :, :, :-1]).abs().mean()
        total = model.content_weight * content + model.style_weight * style + model.variation_weight * variation
        _descend(total, optimizer)

    return step


LOOPS: dict[str, Callable[[Case, Any, dict], Step]] = {
    "classifier": classifier,
    "autoencoder": autoencoder,
    "vae": vae,
    "upscaler": upscaler,
    "denoiser": denoiser,
    "inpainter": inpainter,
    "gan": gan,
    "wgan_gp": wgan_gp,
    "fast_style": fast_style,
}
