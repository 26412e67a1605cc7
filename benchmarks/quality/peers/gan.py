"""Trains the dense GAN in its common Keras form, the peer of `gan`.

    python benchmarks/quality/peers/gan.py --data mnist --steps 18720 --out gan.npy

Generator: 256-512-1024 units with LeakyReLU 0.2 and batch normalization of momentum 0.8, tanh. Discriminator:
1024-512-256-1 units with a sigmoid. Adam 2e-4, beta_1 0.5; 100 Gaussian numbers; batch size 128. Each step updates the
discriminator on real and generated images, then the generator on newly generated ones with inverted labels.
"""

import math
from functools import partial

import keras
import tensorflow as tf
from keras import layers
from loop import descend, from_noise, run

LATENT, BATCH = 100, 128


def make_generator(shape) -> keras.Model:
    model = keras.Sequential([keras.Input((LATENT,))])
    for units in (256, 512, 1024):
        model.add(layers.Dense(units))
        model.add(layers.LeakyReLU(0.2))
        model.add(layers.BatchNormalization(momentum=0.8))
    model.add(layers.Dense(math.prod(shape), activation="tanh"))
    model.add(layers.Reshape(shape))
    return model


def make_discriminator(shape) -> keras.Model:
    model = keras.Sequential([keras.Input(shape), layers.Flatten()])
    for units in (1024, 512, 256):
        model.add(layers.Dense(units))
        model.add(layers.LeakyReLU(0.2))
    model.add(layers.Dense(1, activation="sigmoid"))
    return model


def make(shape):
    generator, discriminator = make_generator(shape), make_discriminator(shape)
    generator_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
    discriminator_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
    bce = keras.losses.BinaryCrossentropy()
    real, fake = tf.ones((BATCH, 1)), tf.zeros((BATCH, 1))

    def step(images, labels):
        images = 2.0 * images - 1.0
        fakes = generator(tf.random.normal((BATCH, LATENT)), training=True)
        with tf.GradientTape() as tape:
            loss = bce(real, discriminator(images, training=True)) + bce(fake, discriminator(fakes, training=True))
        descend(tape, loss, discriminator, discriminator_optimizer)
        with tf.GradientTape() as tape:
            fakes = generator(tf.random.normal((BATCH, LATENT)), training=True)
            generator_loss = bce(real, discriminator(fakes, training=True))
        descend(tape, generator_loss, generator, generator_optimizer)
        return loss, generator_loss

    return step, partial(from_noise, generator)


if __name__ == "__main__":
    run(__doc__, BATCH, make)
