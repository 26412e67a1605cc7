"""Run by test_training_inputs under KERAS_BACKEND=jax: sample weights, metrics and errors. Prints one JSON object."""

import json

import keras
import numpy as np
from conformance import samples
from toys import IMAGES, Line

import cnnzoo

DIGITS = np.random.default_rng(0).integers(0, 256, (12, 28, 28, 1), np.uint8)
LABELS = np.arange(12) % 3


def refusal(act, *given, **settings) -> str:
    try:
        act(*given, verbose=0, **settings)
    except ValueError as error:
        return str(error)
    return "no error"


def main() -> None:
    line = Line()
    line.compile()
    weights = np.linspace(0, 2, 8, dtype=np.float32)
    line.fit(IMAGES, np.linspace(1, 3, 8, dtype=np.float32), sample_weight=weights, batch_size=8, verbose=0)

    lenet = cnnzoo.build("lenet", image_shape=(28, 28, 1), classes=3)
    lenet.compile("sgd", metrics=[keras.metrics.SparseTopKCategoricalAccuracy(2, name="top2")])
    logs = lenet.fit(DIGITS, LABELS, validation_data=(DIGITS, LABELS), verbose=0).history
    best = np.argsort(lenet.classify(DIGITS), axis=1)[:, -2:]
    row, column = (lenet.evaluate(DIGITS, labels, verbose=0) for labels in (LABELS, LABELS[:, None]))

    gan = cnnzoo.build("gan", critic_steps=5)
    gan.compile()
    gan.fit(DIGITS[:10], batch_size=8, verbose=0)

    adain = samples.fresh("adain", width=4)
    adain.compile()
    found = {
        "weighted": float(line.w()),
        "logs": logs,
        "top2": float((best == LABELS[:, None]).any(1).mean()),
        "column": row == column,
        "short": all(bool(np.isfinite(weights).all()) for weights in gan.get_weights()),
        "refusals": [
            refusal(lenet.fit, DIGITS, LABELS + 1),
            refusal(lenet.fit, ((DIGITS, LABELS + 1) for _ in range(1))),
            refusal(gan.fit, DIGITS, sample_weight=np.ones(12)),
            refusal(lenet.predict, DIGITS.astype(np.float32)),
            refusal(adain.evaluate, ((np.repeat(DIGITS[:1], 3, axis=3),) for _ in range(1))),
        ],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
