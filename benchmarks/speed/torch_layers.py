"""Builds PyTorch modules with the layers of a Keras network: the same shapes and connections, other random weights."""

from typing import Any

import keras
import numpy as np
import torch
from torch import nn
from torch.nn import functional

ACTIVATIONS = {
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
}


class Network(nn.Module):
    """A functional or sequential Keras network, layer by layer, for maps (n, channels, height, width)."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        network = getattr(network, "_functional", network)  # of a Sequential model
        names: dict[int, int] = {id(tensor): i for i, tensor in enumerate(network.inputs)}
        plan = []
        modules = []
        for depth in sorted(network._nodes_by_depth, reverse=True):
            for node in network._nodes_by_depth[depth]:
                if node.is_input:
                    continue
                given = [names[id(tensor)] for tensor in node.input_tensors]
                names[id(node.outputs[0])] = len(names)
                plan.append((given, names[id(node.outputs[0])]))
                modules.append(translated(node.operation, node.input_tensors[0].shape, node.outputs[0].shape))
        self.steps, self.layers = plan, nn.ModuleList(modules)
        self.wanted = [names[id(tensor)] for tensor in network.outputs]

    def forward(self, *inputs: Any) -> Any:
        values: dict[int, Any] = dict(enumerate(inputs))
        for (given, made), layer in zip(self.steps, self.layers, strict=True):
            values[made] = layer(*[values[i] for i in given])
        found = [values[i] for i in self.wanted]
        return found[0] if len(found) == 1 else found


def with_weights_of(network: Network, source: keras.Model) -> Network:
    """Copies the weights of a Keras network of convolutions and batch normalizations; returns the network."""
    layers = [layer for layer in getattr(source, "_functional", source).layers if layer.weights]
    modules = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.BatchNorm2d))]
    for layer, module in zip(layers, modules, strict=True):
        values = [torch.from_numpy(np.array(value)) for value in layer.get_weights()]
        if isinstance(module, nn.Conv2d):
            module.weight.data = values[0].permute(3, 2, 0, 1).contiguous()
            if module.bias is not None:
                module.bias.data = values[1]
        else:
            module.weight.data, module.bias.data, module.running_mean, module.running_var = values
    return network


def translated(layer: Any, inputs: tuple, outputs: tuple) -> nn.Module:
    """Returns the PyTorch module of a Keras layer.

    Raises:
        TypeError: No module is defined for the class of the layer.
    """
    kind = type(layer).__name__
    if kind not in TRANSLATIONS:
        raise TypeError(f"No PyTorch module for the layer {kind}")
    return TRANSLATIONS[kind](layer, inputs, outputs)


def activation(layer: Any) -> nn.Module:
    return ACTIVATIONS[keras.activations.serialize(layer.activation)]()


def convolution(layer: Any, inputs: tuple, outputs: tuple) -> nn.Module:
    (size, _), (stride, _), (dilation, _) = layer.kernel_size, layer.strides, layer.dilation_rate
    padding = _padding(inputs[1], outputs[1], size, stride, dilation) if layer.padding == "same" else 0
    made = nn.Conv2d(inputs[3], layer.filters, size, stride, padding, dilation, bias=layer.use_bias)
    return nn.Sequential(made, activation(layer))


def _padding(given: int | None, made: int | None, size: int, stride: int, dilation: int) -> int:
    """Returns the smallest symmetric padding for an output of size `made`."""
    if given is None or made is None:
        return dilation * (size - 1) // 2
    reach = dilation * (size - 1)
    return next(p for p in range(reach + 1) if (given + 2 * p - reach - 1) // stride + 1 == made)


def transposed(layer: Any, inputs: tuple, outputs: tuple) -> nn.Module:
    size, stride = layer.kernel_size[0], layer.strides[0]
    padding = (size - stride) // 2
    made = nn.ConvTranspose2d(inputs[3], layer.filters, size, stride, padding, bias=layer.use_bias)
    return nn.Sequential(made, activation(layer))


def normalization(layer: Any, inputs: tuple, outputs: tuple) -> nn.Module:
    kind = nn.BatchNorm2d if len(inputs) == 4 else nn.BatchNorm1d
    return kind(inputs[-1], momentum=1.0 - layer.momentum, eps=layer.epsilon)


class Reshape(nn.Module):
    def __init__(self, layer: Any, inputs: tuple, outputs: tuple) -> None:
        super().__init__()
        height, width, channels = outputs[1:]
        self.shape = (channels, height, width)

    def forward(self, x: Any) -> Any:
        return x.reshape(x.shape[0], *self.shape)


class Add(nn.Module):
    def forward(self, first: Any, *others: Any) -> Any:
        for other in others:
            first = first + other
        return first


class BatchSpread(nn.Module):
    def forward(self, x: Any) -> Any:
        spread = torch.sqrt(x.float().var(0, correction=0) + 1e-8).mean()
        return torch.cat([x, spread.expand(x.shape[0], 1).to(x.dtype)], 1)


class Collapsible(nn.Module):
    def __init__(self, layer: Any, inputs: tuple, outputs: tuple) -> None:
        super().__init__()
        size = layer.kernel_size[0]
        self.wide = nn.Parameter(0.05 * torch.randn(layer.expansion, inputs[3] * size * size))
        self.narrow = nn.Parameter(0.05 * torch.randn(layer.filters, layer.expansion))
        self.bias = nn.Parameter(torch.zeros(layer.filters))
        self.shape = (layer.filters, inputs[3], size, size)
        identity = torch.zeros(self.shape)
        if inputs[3] == layer.filters:
            identity[:, :, size // 2, size // 2] = torch.eye(layer.filters)
        self.register_buffer("identity", identity)

    def forward(self, x: Any) -> Any:
        kernel = (self.narrow @ self.wide).reshape(self.shape) + self.identity
        return functional.conv2d(x, kernel, self.bias, padding=self.shape[2] // 2)


class Gated(nn.Module):
    def __init__(self, layer: Any, inputs: tuple, outputs: tuple) -> None:
        super().__init__()
        self.features = convolution(layer.features, inputs, outputs)
        self.gates = convolution(layer.gates, inputs, outputs)

    def forward(self, x: Any) -> Any:
        return self.features(functional.relu(x)) * (2.0 * torch.sigmoid(self.gates(x)))


class Painter(nn.Module):
    """The painter of `cnnzoo.models.fast_style`: conditional instance normalization, reflection padding."""

    def __init__(self, painter: Any) -> None:
        super().__init__()
        channels = [3, *(conv.filters for conv in painter.convs)]
        self.convs = nn.ModuleList(
            nn.Conv2d(before, conv.filters, conv.kernel_size[0], conv.strides[0], bias=False)
            for before, conv in zip(channels, painter.convs, strict=False)
        )
        styles = painter.norms[0].styles
        self.scales = nn.ParameterList(torch.ones(styles, conv.filters) for conv in painter.convs)
        self.shifts = nn.ParameterList(torch.zeros(styles, conv.filters) for conv in painter.convs)
        self.last = nn.Conv2d(channels[-1], 3, painter.last.kernel_size[0])

    def normal(self, i: int, x: Any, mix: Any) -> Any:
        margin = self.convs[i].kernel_size[0] // 2
        x = functional.instance_norm(self.convs[i](functional.pad(x, 4 * [margin], "reflect")))
        return x * (mix @ self.scales[i])[:, :, None, None] + (mix @ self.shifts[i])[:, :, None, None]

    def forward(self, images: Any, mix: Any) -> Any:
        x, count = 2.0 * images - 1.0, len(self.convs)
        for i in range(3):
            x = functional.relu(self.normal(i, x, mix))
        for i in range(3, count - 2, 2):
            x = x + self.normal(i + 1, functional.relu(self.normal(i, x, mix)), mix)
        for i in (count - 2, count - 1):
            x = functional.relu(self.normal(i, functional.interpolate(x, scale_factor=2.0), mix))
        margin = self.last.kernel_size[0] // 2
        return torch.sigmoid(self.last(functional.pad(x, 4 * [margin], "reflect")))


TRANSLATIONS: dict[str, Any] = {
    "Conv2D": convolution,
    "Conv2DTranspose": transposed,
    "BatchNormalization": normalization,
    "CollapsibleConv2D": Collapsible,
    "GatedConv2D": Gated,
    "Reshape": Reshape,
    "Dense": lambda layer, given, made: nn.Sequential(
        nn.Linear(given[-1], layer.units, bias=layer.use_bias), activation(layer)
    ),
    "Flatten": lambda *_: nn.Flatten(),
    "Dropout": lambda layer, *_: nn.Dropout(layer.rate),
    "ReLU": lambda *_: nn.ReLU(),
    "LeakyReLU": lambda layer, *_: nn.LeakyReLU(layer.negative_slope),
    "Activation": lambda layer, *_: activation(layer),
    "MaxPooling2D": lambda layer, *_: nn.MaxPool2d(layer.pool_size[0]),
    "AveragePooling2D": lambda layer, *_: nn.AvgPool2d(layer.pool_size[0]),
    "UpSampling2D": lambda layer, *_: nn.Upsample(scale_factor=layer.size[0]),
    "GlobalAveragePooling2D": lambda *_: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    "DepthToSpace": lambda layer, *_: nn.PixelShuffle(layer.block),
    "Add": lambda *_: Add(),
    "BatchSpread": lambda *_: BatchSpread(),
}
