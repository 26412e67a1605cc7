"""Common Keras loops, after Keras's example pages, over the sub-networks of the zoo.

A loop is a plain `keras.Model` with a Keras optimizer: layers compiled with a loss if that is enough, else a model with
the `train_step` of the example page.
"""

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from speed.cases import CASES, Case, built, images
from speed.roof import forward_flops, measured_roof  # noqa: F401  (called by name)
from speed.zoo import networks, seconds_of_steps, warmed_up

_held: dict[str, Any] = {}


def prepare(name: str, steps: int) -> float:
    """Builds and warms up a case, as `speed.zoo.prepare`; returns the seconds of all steps."""
    case = CASES[name]
    _held["fit"] = _fitting(case, loop(case, 0)[0], steps)
    return warmed_up(_held["fit"])


def run() -> float:
    return seconds_of_steps(_held["fit"])


def trained(name: str, seed: int, steps: int) -> dict[str, list[np.ndarray]]:
    case = CASES[name]
    model, parts = loop(case, seed)
    _fitting(case, model, steps, shuffle=False)()
    return {name: part.get_weights() for name, part in parts.items()}


def gigaflops(name: str) -> float:
    """Returns the GFLOP of the convolutions and matrix products in a step."""
    case = CASES[name]
    model = built(case, 0)
    return sum(times * forward_flops(case, model, part) for part, times in case.work.items()) / 1e9


def loop(case: Case, seed: int) -> tuple[keras.Model, dict[str, Any]]:
    """Returns the compiled Keras loop, with the initial weights of the zoo's model for a seed, and its sub-networks."""
    model = built(case, seed)
    parts = {part: _copy(getattr(model, part)) for part in networks(case)}
    return LOOPS[case.loop](model, parts), parts


def _copy(layer: Any) -> Any:
    if isinstance(layer, keras.Model):
        copy = keras.models.clone_model(layer)
    elif hasattr(layer, "convs"):  # the painter has no `get_config`
        copy = type(layer)(layer.norms[0].styles, layer.last.kernel.shape[2], layer.blocks)
    else:
        copy = type(layer).from_config(layer.get_config())
        copy.build((None, layer.kernel.shape[0]))
    copy.set_weights(layer.get_weights())
    return copy


def _fitting(case: Case, model: Any, steps: int, shuffle: bool = True) -> Any:
    x, labels = images(case, steps * case.batch)
    pairs = PAIRS[case.loop](built(case, 0), x, labels) if case.loop in PAIRS else (x, None)
    return lambda *callbacks: model.fit(
        *pairs, batch_size=case.batch, epochs=1, verbose=0, shuffle=shuffle, callbacks=list(callbacks)
    )


# -- layers with a loss ------------------------------------------------------------------------------------------------


def classifier(model: Any, parts: dict) -> keras.Model:
    made = keras.Sequential(list(parts.values()))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(model.default_optimizers()["classifier"], loss, metrics=["accuracy"])
    return made


def autoencoder(model: Any, parts: dict) -> keras.Model:
    made = keras.Sequential([*parts.values(), keras.layers.Activation("sigmoid")])
    made.compile(model.default_optimizers()["reconstruction"], "mse")
    return made


def upscaler(model: Any, parts: dict) -> keras.Model:
    made = keras.Sequential([parts["network"], type(model.to_space)(model.scale)])
    loss = "mse" if model.architecture == "espcn_classic" else "mae"
    made.compile(model.default_optimizers()["pixels"], loss)
    return made


def denoiser(model: Any, parts: dict) -> keras.Model:
    noisy = keras.Input((64, 64, model.image_shape[2]))
    made = keras.Model(noisy, keras.layers.Subtract()([noisy, parts["network"](noisy)]))
    made.compile(model.default_optimizers()["pixels"], "mse")
    return made


def _each(function: Any, x: np.ndarray) -> np.ndarray:
    """Returns the results of `function` for all images, computed in small batches to limit memory."""
    parts = np.array_split(x, -(-len(x) // 32))
    return np.concatenate([ops.convert_to_numpy(function(ops.convert_to_tensor(part))) for part in parts])


# Inputs and targets of `fit` for loops with more than the images; prepared before the clock starts.
PAIRS = {
    "classifier": lambda model, x, labels: (x, labels),
    "autoencoder": lambda model, x, labels: (x, x),
    "upscaler": lambda model, x, labels: (_each(model.small, x), x),
    "denoiser": lambda model, x, labels: (_each(lambda images: model.with_noise(images, 0, 1), x), x),
}


# -- training steps of example pages -----------------------------------------------------------------------------------


class _Loop(keras.Model):
    """A model with the `train_step` of an example page."""

    def __init__(self, model: Any, parts: dict) -> None:
        super().__init__()
        self.held = SimpleNamespace(zoo=model)  # hidden from Keras's tracking of layers
        for name, part in parts.items():
            setattr(self, name, part)
        self.means = [keras.metrics.Mean(name) for name in self.logged]
        self.built = True

    logged: tuple[str, ...] = ("loss",)

    @property
    def metrics(self) -> list:
        return self.means

    def logs(self, *losses: Any) -> dict:
        for mean, loss in zip(self.means, losses, strict=True):
            mean.update_state(loss)
        return {mean.name: mean.result() for mean in self.means}


def _descend(tape: Any, loss: Any, network: Any, optimizer: Any) -> None:
    weights = network.trainable_weights
    optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))


class VAE(_Loop):
    """https://keras.io/examples/generative/vae/."""

    logged = ("loss", "reconstruction_loss", "kl_loss")

    def train_step(self, data: Any) -> dict:
        with tf.GradientTape() as tape:
            mean, log_variance = ops.split(self.encoder(data, training=True), 2, axis=-1)
            z = mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean))
            logits = self.decoder(z, training=True)
            pixels = keras.losses.binary_crossentropy(data, logits, from_logits=True)
            reconstruction = ops.mean(ops.sum(pixels, axis=(1, 2)))
            kl = -0.5 * (1 + log_variance - ops.square(mean) - ops.exp(log_variance))
            kl = ops.mean(ops.sum(kl, axis=1))
            loss = reconstruction + kl
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return self.logs(loss, reconstruction, kl)


class _Game(_Loop):
    logged = ("d_loss", "g_loss")

    def compile(self, optimizers: dict) -> None:
        super().compile()
        self.d_optimizer, self.g_optimizer = optimizers["discriminator"], optimizers["generator"]

    def noise(self, count: Any) -> Any:
        return keras.random.normal((count, self.held.zoo.latent_dim))


class GAN(_Game):
    """https://keras.io/examples/generative/dcgan_overriding_train_step/, with logits."""

    def compile(self, optimizers: dict) -> None:
        super().compile(optimizers)
        self.loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)

    def train_step(self, real: Any) -> dict:
        count = ops.shape(real)[0]
        fake = self.generator(self.noise(count), training=True)
        joined = ops.concatenate([fake, 2.0 * real - 1.0], axis=0)
        real_label = 1.0 - self.held.zoo.label_smoothing
        labels = ops.concatenate([ops.zeros((count, 1)), ops.full((count, 1), real_label)], axis=0)
        with tf.GradientTape() as tape:
            d_loss = self.loss_fn(labels, self.discriminator(joined, training=True))
        _descend(tape, d_loss, self.discriminator, self.d_optimizer)
        with tf.GradientTape() as tape:
            verdicts = self.discriminator(self.generator(self.noise(count), training=True), training=True)
            g_loss = self.loss_fn(ops.ones((count, 1)), verdicts)
        _descend(tape, g_loss, self.generator, self.g_optimizer)
        return self.logs(d_loss, g_loss)


class WGANGP(_Game):
    """https://keras.io/examples/generative/wgan_gp/, with a different part of the batch for each critic update."""

    def train_step(self, real: Any) -> dict:
        shares = self.held.zoo.critic_steps
        count = ops.shape(real)[0] // shares
        for i in range(shares):
            part = 2.0 * real[i::shares] - 1.0
            with tf.GradientTape() as tape:
                fake = self.generator(self.noise(count), training=True)
                fake_logits = self.discriminator(fake, training=True)
                real_logits = self.discriminator(part, training=True)
                cost = ops.mean(fake_logits) - ops.mean(real_logits)
                d_loss = cost + 10.0 * self.penalty(part, fake, count)
            _descend(tape, d_loss, self.discriminator, self.d_optimizer)
        with tf.GradientTape() as tape:
            fake = self.generator(self.noise(count), training=True)
            g_loss = -ops.mean(self.discriminator(fake, training=True))
        _descend(tape, g_loss, self.generator, self.g_optimizer)
        return self.logs(d_loss, g_loss)

    def penalty(self, real: Any, fake: Any, count: Any) -> Any:
        between = real + keras.random.uniform((count, 1, 1, 1)) * (fake - real)
        with tf.GradientTape() as tape:
            tape.watch(between)
            verdicts = self.discriminator(between, training=True)
        slopes = tape.gradient(verdicts, between)
        norm = ops.sqrt(ops.sum(ops.square(slopes), axis=(1, 2, 3)))
        return ops.mean((norm - 1.0) ** 2)


class Inpainter(_Loop):
    """A loop that draws masks and fills them smoothly within the step, by the functions of the zoo."""

    def train_step(self, images: Any) -> dict:
        from cnnzoo.imaging.masks import sample
        from cnnzoo.imaging.smooth_filling import smooth_filling

        model = self.held.zoo
        mask = sample(model.masks, (ops.shape(images)[0], *images.shape[1:3]), model.noise)
        known = 1.0 - mask
        smooth = smooth_filling(images, known)
        seen = ops.concatenate([known * (2.0 * images - 1.0), known, 2.0 * smooth - 1.0], axis=-1)
        with tf.GradientTape() as tape:
            made = smooth + 0.5 * self.network(seen, training=True)
            loss = ops.mean(ops.abs(mask * (images - made)))
        _descend(tape, loss, self.network, self.optimizer)
        return self.logs(loss)


class FastStyle(_Loop):
    """The loop of Johnson et al.: style targets are computed once, content targets in each step."""

    logged = ("loss", "content", "style", "variation")

    def train_step(self, images: Any) -> dict:
        from cnnzoo.models.fast_style import StyleOutputs, Targets

        model = self.held.zoo
        chosen = keras.random.randint((ops.shape(images)[0],), 0, len(model.styles))
        mix = ops.one_hot(chosen, len(model.styles), dtype="float32")
        content = model.maps.features(images)
        style = [ops.take(goal, chosen, axis=0) for goal in model.goals]
        with tf.GradientTape() as tape:
            painted = self.painter(images, mix)
            targets = Targets(content[model.maps.content_layer], style, [None] * len(style))
            losses, parts = model.stylization_loss(StyleOutputs(painted, model.maps.features(painted), targets))
            loss = ops.mean(losses)
        _descend(tape, loss, self.painter, self.optimizer)
        return self.logs(loss, *parts.values())


def _single(kind: type) -> Any:
    """Returns a factory of a loop with one optimizer."""

    def make(model: Any, parts: dict) -> keras.Model:
        made = kind(model, parts)
        (optimizer,) = model.default_optimizers().values()
        made.compile(optimizer=optimizer)
        return made

    return make


def _game(kind: type) -> Any:
    def make(model: Any, parts: dict) -> keras.Model:
        made = kind(model, parts)
        made.compile(model.default_optimizers())
        return made

    return make


LOOPS = {
    "classifier": classifier,
    "autoencoder": autoencoder,
    "upscaler": upscaler,
    "denoiser": denoiser,
    "vae": _single(VAE),
    "gan": _game(GAN),
    "wgan_gp": _game(WGANGP),
    "inpainter": _single(Inpainter),
    "fast_style": _single(FastStyle),
}
