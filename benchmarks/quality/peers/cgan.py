"""The conditional GAN as Keras's example has it, for comparison with `cgan`. Its samples are of the classes in turn.

    python benchmarks/quality/peers/cgan.py --data mnist --minutes 60 --out cgan.npy

Layer list: https://keras.io/examples/generative/conditional_gan. 128 Gaussian numbers beside the one-hot label, ten
planes of it beside the image; batches of 64; Adam 3e-4 for both networks; gray values in [0, 1]. Each step updates the
discriminator on images and fakes, then the generator on fresh fakes. The example trains for 20 epochs, on the test
images too: 21,880 steps. For images of CIFAR-10 the same layers work on 8, 16 and 32 pixels a side.
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
    model.add(layers.Conv2D(shape[-1], 7, padding="same", activation="sigmoid"))  # (n, 28, 28, 1)
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
            loss = 0.5 * (bce(real, judge(images)) + bce(fake, judge(made)))  # the mean over images and fakes
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
