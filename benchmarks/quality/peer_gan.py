"""The dense GAN as it is usually written out: a plain Keras loop, for comparison with `gan.mnist`.

    python benchmarks/quality/peer_gan.py --steps 18720 --out peer_gan.npy

The layers are the published ones (generator of 256-512-1024 with LeakyReLU 0.2 and batch normalisation of momentum 0.8,
tanh; discriminator of 1024-512-256-1; Adam 2e-4, beta_1 0.5; 100 Gaussian numbers; batches of 128).
Each step updates the discriminator on images and fakes, then the generator on the same labels turned round. Nothing
here comes from the zoo; the file holds 10,000 samples, uint8 (10000, 28, 28, 1).
"""

import argparse

import keras
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from keras import layers

LATENT, BATCH = 100, 128


def make_generator() -> keras.Model:
    model = keras.Sequential([keras.Input((LATENT,))])
    for units in (256, 512, 1024):
        model.add(layers.Dense(units))
        model.add(layers.LeakyReLU(0.2))
        model.add(layers.BatchNormalization(momentum=0.8))
    model.add(layers.Dense(784, activation="tanh"))
    model.add(layers.Reshape((28, 28, 1)))
    return model


def make_discriminator() -> keras.Model:
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten()])
    for units in (1024, 512, 256):
        model.add(layers.Dense(units))
        model.add(layers.LeakyReLU(0.2))
    model.add(layers.Dense(1, activation="sigmoid"))
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(arguments.seed)

    images = tfds.load("mnist", split="train", batch_size=-1)["image"].numpy()
    data = tf.data.Dataset.from_tensor_slices(images.astype("float32") / 127.5 - 1.0)
    data = data.shuffle(60_000).repeat().batch(BATCH).prefetch(2)

    generator, discriminator = make_generator(), make_discriminator()
    generator_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
    discriminator_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
    bce = keras.losses.BinaryCrossentropy()
    real, fake = tf.ones((BATCH, 1)), tf.zeros((BATCH, 1))

    @tf.function
    def step(batch):
        fakes = generator(tf.random.normal((BATCH, LATENT)), training=True)
        with tf.GradientTape() as tape:
            loss = bce(real, discriminator(batch, training=True)) + bce(fake, discriminator(fakes, training=True))
        weights = discriminator.trainable_variables
        discriminator_optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        with tf.GradientTape() as tape:
            fakes = generator(tf.random.normal((BATCH, LATENT)), training=True)
            generator_loss = bce(real, discriminator(fakes, training=True))
        weights = generator.trainable_variables
        generator_optimizer.apply_gradients(zip(tape.gradient(generator_loss, weights), weights, strict=True))
        return loss, generator_loss

    for number, batch in enumerate(data.take(arguments.steps), start=1):
        losses = step(batch)
        if number % 2000 == 0:
            print(number, *(round(float(loss), 3) for loss in losses), flush=True)
    samples = generator.predict(np.random.default_rng(1).standard_normal((10_000, LATENT)), verbose=0)
    np.save(arguments.out, np.rint((samples + 1.0) * 127.5).astype(np.uint8))


if __name__ == "__main__":
    main()
