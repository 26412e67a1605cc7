"""Compiled verbs on JAX match uncompiled calls, use new weights, and compile a bounded number of graphs."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import numpy as np
from keras import ops

import cnnzoo
from cnnzoo.tasks.photo_inference import with_bicubic_color

rng = np.random.default_rng(0)
model = cnnzoo.build("espcn", scale=2, width=4, depth=1)
image = rng.random((9, 12, 3), np.float32)


def check() -> np.ndarray:
    made = model.upscale(image)
    expected = ops.convert_to_numpy(with_bicubic_color(model, 2)(ops.convert_to_tensor(image[None])))[0]
    np.testing.assert_allclose(made, expected.clip(0, 1), atol=1e-5)
    return made


first = check()
model.compile()
model.fit(rng.random((4, 8, 8, 1), np.float32), epochs=3, verbose=0)
fitted = check()
assert np.abs(fitted - first).max() > 1e-5
model.set_weights([1.1 * weight for weight in model.get_weights()])
assert np.abs(check() - fitted).max() > 1e-5
assert model.upscale((255 * image).astype(np.uint8)).dtype == np.uint8

classifier = cnnzoo.build("cnn", classes=3)
images = rng.random((70, 28, 28, 1), np.float32)
expected = ops.convert_to_numpy(classifier(images))
for n in (1, 3, 5, 6, 7, 70):
    np.testing.assert_allclose(classifier.classify(images[:n]), expected[:n], atol=1e-5)
assert len(vars(classifier)["_graphs"].by_key) == 4  # batch sizes 1, 4, 8 and 128
