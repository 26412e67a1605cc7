"""Run by test_phases under KERAS_BACKEND=jax: three steps of each named architecture, from weights in a folder.

Prints one JSON object: the logs, a digest of every variable afterwards, and whether TensorFlow was imported.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from conformance import noise, samples


def main(folder: Path, names: list[str]) -> None:
    noise.replace()
    logs, sums = {}, {}
    for name in names:
        model = samples.repeating(name, seed=9)
        model.compile(samples.optimizers(model, lambda: keras.optimizers.Adam(1e-3)))
        model.load_weights(folder / f"{name}.weights.h5")
        logs[name] = samples.steps(model, 3)
        arrays = [np.asarray(v.value) for v in [*model.variables, *model.optimizer.variables]]
        sums[name] = [samples.digest(a if a.dtype.kind == "f" else a.astype(np.int64)) for a in arrays]
        model.save_weights(folder / f"{name}.jax.weights.h5")
    print(json.dumps({"logs": logs, "sums": sums, "tensorflow": "tensorflow" in sys.modules}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
