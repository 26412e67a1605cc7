"""Trains the conditional GAN of Keras's example, the peer of `cgan`; its samples cycle through the classes.

    python benchmarks/quality/peers/cgan.py --data mnist --minutes 60 --out cgan.npy

Layer list: https://keras.io/examples/generative/conditional_gan. The generator takes 128 Gaussian numbers and the
one-hot label; the discriminator takes the image and the label as ten constant planes. Batch size 64; Adam 3e-4 for both
networks; gray values in [0, 1]. Each step updates the discriminator on real and generated images, then the generator on
newly generated ones. The example trains for 20 epochs, also on the test images: 21,880 steps. For CIFAR-10 the same
layers operate on sides of 8, 16 and 32 pixels.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from loop import descend, noise, run

LATENT, CLASSES, BATCH = 128, 10, 64


def make_generator(shape) -> keras.Model:
    inputs, side = LATENT + CLASSES, shape[0] // 4
    model = keras.Sequential([keras.Input((inputs,))])
    model.add(layers.Dense(side * side * inputs))
    model.add(layers.LeakyReLU(0.2))
    model.add(layers.Reshape((side, side, inputs)))
    for _ in range(2):  # (n, 14, 14, 128), (n, 28, 28, 128)
        model.add(layers.Conv2DTranspose(128, 4, 2, "same"))
        model.add(layers.LeakyReLU(0.2))
    model.add(layers.Conv2D(shape[-1], 7, padding="same", activation="sigmoid"))  # (n, 28, 28, c)
    return model


def make_discriminator(shape) -> keras.Model:
    model = keras.Sequential([keras.Input((*shape[:2], shape[-1] + CLASSES))])
    for filters in (64, 128):  # (n, 14, 14, 64), (n, 7, 7, 128)
        model.add(layers.Conv2D(filters, 3, 2, "same"))
        model.add(layers.LeakyReLU(0.2))
    model.add(layers.GlobalMaxPooling2D())
    model.add(layers.Dense(1))
    return model


def make(shape):
    generator, discriminator = make_generator(shape), make_discriminator(shape)
    generator_optimizer, discriminator_optimizer = keras.optimizers.Adam(3e-4), keras.optimizers.Adam(3e-4)
    bce = keras.losses.BinaryCrossentropy(from_logits=True)
    real, fake = tf.ones((BATCH, 1)), tf.zeros((BATCH, 1))

    def step(images, labels):
        label = tf.one_hot(labels, CLASSES)  # (n, classes)
        planes = tf.tile(label[:, None, None, :], (1, *shape[:2], 1))  # (n, height, width, classes)

        def fakes():
            return generator(tf.concat([tf.random.normal((BATCH, LATENT)), label], axis=1), training=True)

        def judge(x):
            return discriminator(tf.concat([x, planes], axis=-1), training=True)

        made = fakes()
        with tf.GradientTape() as tape:
            loss = 0.5 * (bce(real, judge(images)) + bce(fake, judge(made)))  # mean over real and generated images
        descend(tape, loss, discriminator, discriminator_optimizer)
        with tf.GradientTape() as tape:
            generator_loss = bce(real, judge(fakes()))
        descend(tape, generator_loss, generator, generator_optimizer)
        return loss, generator_loss

    def sample(n):
        in_turn = np.eye(CLASSES, dtype=np.float32)[np.arange(n) % CLASSES]
        return generator.predict(np.concatenate([noise(n, LATENT), in_turn], axis=1), verbose=0)

    return step, sample


if __name__ == "__main__":
    run(__doc__, BATCH, make)
