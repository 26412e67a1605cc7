"""Trains the DCGAN of TensorFlow's tutorial, the peer of `dcgan`.

    python benchmarks/quality/peers/dcgan.py --data mnist --minutes 60 --out dcgan.npy

Layer list: https://www.tensorflow.org/tutorials/generative/dcgan. 100 Gaussian numbers; batch size 256; Adam 1e-4 for
both networks, updated from one forward pass; LeakyReLU with Keras's default slope of 0.3. The tutorial trains for 50
epochs, 11,750 steps. For CIFAR-10 the same layers operate on sides of 8, 16 and 32 pixels.
"""

from functools import partial

import keras
import tensorflow as tf
from keras import layers
from loop import descend, from_noise, run

LATENT, BATCH = 100, 256


def make_generator(shape) -> keras.Model:
    side = shape[0] // 4
    model = keras.Sequential([keras.Input((LATENT,))])
    model.add(layers.Dense(side * side * 256, use_bias=False))
    model.add(layers.BatchNormalization())
    model.add(layers.LeakyReLU(0.3))
    model.add(layers.Reshape((side, side, 256)))
    for filters, stride in ((128, 1), (64, 2)):  # (n, 7, 7, 128), (n, 14, 14, 64)
        model.add(layers.Conv2DTranspose(filters, 5, stride, "same", use_bias=False))
        model.add(layers.BatchNormalization())
        model.add(layers.LeakyReLU(0.3))
    model.add(layers.Conv2DTranspose(shape[-1], 5, 2, "same", use_bias=False, activation="tanh"))  # (n, 28, 28, c)
    return model


def make_discriminator(shape) -> keras.Model:
    model = keras.Sequential([keras.Input(shape)])
    for filters in (64, 128):  # (n, 14, 14, 64), (n, 7, 7, 128)
        model.add(layers.Conv2D(filters, 5, 2, "same"))
        model.add(layers.LeakyReLU(0.3))
        model.add(layers.Dropout(0.3))
    model.add(layers.Flatten())
    model.add(layers.Dense(1))
    return model


def make(shape):
    generator, discriminator = make_generator(shape), make_discriminator(shape)
    generator_optimizer, discriminator_optimizer = keras.optimizers.Adam(1e-4), keras.optimizers.Adam(1e-4)
    bce = keras.losses.BinaryCrossentropy(from_logits=True)
    real, fake = tf.ones((BATCH, 1)), tf.zeros((BATCH, 1))

    def step(images, labels):
        with tf.GradientTape(persistent=True) as tape:
            fakes = generator(tf.random.normal((BATCH, LATENT)), training=True)
            real_logits = discriminator(2.0 * images - 1.0, training=True)
            fake_logits = discriminator(fakes, training=True)
            loss = bce(real, real_logits) + bce(fake, fake_logits)
            generator_loss = bce(real, fake_logits)
        descend(tape, generator_loss, generator, generator_optimizer)
        descend(tape, loss, discriminator, discriminator_optimizer)
        return loss, generator_loss

    return step, partial(from_noise, generator)


if __name__ == "__main__":
    run(__doc__, BATCH, make)
