"""Trains the WGAN-GP of Keras's example, the peer of `wgan_gp`.

    python benchmarks/quality/peers/wgan_gp.py --data fashion_mnist --minutes 60 --out wgan_gp.npy

Layer list: https://keras.io/examples/generative/wgan_gp. 128 Gaussian numbers; batch size 512; Adam 2e-4, beta_1 0.5,
beta_2 0.9 for both networks; three critic updates on the same images per generator update; gradient penalty of weight
10. Both networks operate on 32x32 pixels: the critic pads its input, the generator crops its output. The example trains
for 20 epochs, 2,360 steps. CIFAR-10 needs no padding or cropping.
"""

from functools import partial

import keras
import tensorflow as tf
from keras import layers
from loop import descend, from_noise, run

LATENT, BATCH = 128, 512
CRITIC_STEPS, PENALTY = 3, 10.0


def make_generator(shape) -> keras.Model:
    model = keras.Sequential([keras.Input((LATENT,))])
    model.add(layers.Dense(4 * 4 * 256, use_bias=False))
    model.add(layers.BatchNormalization())
    model.add(layers.LeakyReLU(0.2))
    model.add(layers.Reshape((4, 4, 256)))
    for filters in (128, 64, shape[-1]):  # 8, 16 and 32 pixels a side
        model.add(layers.UpSampling2D())
        model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        model.add(layers.BatchNormalization())
        model.add(layers.LeakyReLU(0.2) if filters > shape[-1] else layers.Activation("tanh"))
    model.add(layers.Cropping2D((32 - shape[0]) // 2))
    return model


def make_critic(shape) -> keras.Model:
    model = keras.Sequential([keras.Input(shape), layers.ZeroPadding2D((32 - shape[0]) // 2)])  # 32 pixels a side
    for filters, dropout in ((64, False), (128, True), (256, True), (512, False)):  # 16, 8, 4 and 2 pixels a side
        model.add(layers.Conv2D(filters, 5, 2, "same"))
        model.add(layers.LeakyReLU(0.2))
        if dropout:
            model.add(layers.Dropout(0.3))
    model.add(layers.Flatten())
    model.add(layers.Dropout(0.2))
    model.add(layers.Dense(1))
    return model


def make(shape):
    generator, critic = make_generator(shape), make_critic(shape)
    generator_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5, beta_2=0.9)
    critic_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5, beta_2=0.9)

    def penalty(images, fakes):
        """Returns the mean squared deviation of the critic's gradient norm from 1 between real and generated images."""
        between = images + tf.random.uniform((BATCH, 1, 1, 1)) * (fakes - images)
        with tf.GradientTape() as tape:
            tape.watch(between)
            scores = critic(between, training=True)
        slope = tf.sqrt(tf.reduce_sum(tf.square(tape.gradient(scores, between)), axis=(1, 2, 3)))
        return tf.reduce_mean(tf.square(slope - 1.0))

    def step(images, labels):
        images = 2.0 * images - 1.0
        for _ in range(CRITIC_STEPS):
            fakes = generator(tf.random.normal((BATCH, LATENT)), training=True)
            with tf.GradientTape() as tape:
                gap = tf.reduce_mean(critic(fakes, training=True)) - tf.reduce_mean(critic(images, training=True))
                loss = gap + PENALTY * penalty(images, fakes)
            descend(tape, loss, critic, critic_optimizer)
        with tf.GradientTape() as tape:
            fakes = generator(tf.random.normal((BATCH, LATENT)), training=True)
            generator_loss = -tf.reduce_mean(critic(fakes, training=True))
        descend(tape, generator_loss, generator, generator_optimizer)
        return loss, generator_loss

    return step, partial(from_noise, generator)


if __name__ == "__main__":
    run(__doc__, BATCH, make)
