"""Run by test_strategies: trains an architecture on digits, on one device or two, or as a worker of TF_CONFIG.

python trained_on.py one|two|workers ARCHITECTURE OUT EPOCHS [SETTINGS]

SETTINGS are further arguments of `cnnzoo.train`, as JSON. Prints the number of images decoded in training.
"""

import json
import os
import sys

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # oneDNN rounds differently by batch size

CONFIGS = {"dcgan": {"width": 4, "latent_dim": 4}, "vae": {"latent_dim": 2}}


def main(devices: str, name: str, out: str, epochs: str, more: str = "{}") -> None:
    on_jax = os.environ.get("KERAS_BACKEND") == "jax"
    if devices == "two" and on_jax:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    elif devices == "two":
        import tensorflow as tf

        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    import keras

    import cnnzoo
    from cnnzoo.data.folder_rows import FileRows

    decoded, fitted = [], FileRows.fitted
    FileRows.fitted = lambda rows, i, shape: decoded.append(i) or fitted(rows, i, shape)
    counted: list[int] = []
    count = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: decoded.clear(), on_train_end=lambda logs: counted.append(len(decoded))
    )
    strategy = {"one": None, "two": "mirrored", "workers": "multi-worker"}[devices]
    settings = {"data": "digits", "batch_size": 32, "limit": 96, "precision": "float32", "verbose": 0}
    settings["config"] = CONFIGS.get(name)
    settings |= {"callbacks": [count], **json.loads(more)}
    cnnzoo.train(name, epochs=int(epochs), out=out, strategy=strategy, **settings)
    print(sum(counted))


if __name__ == "__main__":
    main(*sys.argv[1:])
