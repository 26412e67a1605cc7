"""Two replicas match one: on two devices of a machine for each architecture, and across two processes."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conformance import samples

HERE = Path(__file__).parent

some_architectures = samples.few("cnn", "dcgan", "gan")


def start(script: str, *arguments: str, **environment: str) -> subprocess.Popen:
    paths = os.pathsep.join([str(HERE.parent), str(HERE.parent.parent)])
    env = {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    command = [sys.executable, str(HERE / script), *arguments]
    return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def result(process: subprocess.Popen) -> dict:
    try:
        out, errors = process.communicate(timeout=1200)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 0, errors[-3000:]
    return json.loads(out.splitlines()[-1])


@pytest.fixture(scope="module")
def two_replicas(request):
    return result(start("two_replicas.py", *samples.asked_for(request)))


@some_architectures
def test_two_replicas_match_one_device(name, two_replicas):
    found = two_replicas["architectures"][name]
    assert found["off"] < 1  # in units of a hundredth of the movement
    assert found["apart"] == []
    for alone, together in found["logs"]:
        assert together.keys() == alone.keys()
        for log, value in alone.items():
            if log == "perplexity":  # not linear in the images; logged as the mean over the replicas
                continue
            np.testing.assert_allclose(together[log], value, rtol=1e-5, atol=1e-6, err_msg=log)


def test_each_replica_draws_its_own_noise(two_replicas):
    first, second = two_replicas["noise"]
    assert len(set(first) & set(second)) == 0


def test_compile_on_replicas_rejects_unsupported_settings(two_replicas):
    steps, jit, accumulation = two_replicas["refusals"]
    assert "steps_per_execution=2" in steps
    assert "jit_compile=True" in jit
    assert "gradient_accumulation_steps" in accumulation


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


@pytest.mark.slow
def test_two_workers_match_one_process(tmp_path):
    import h5py

    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    alone = tmp_path / "alone"
    alone.mkdir()
    with contextlib.ExitStack() as stack:
        workers = []
        for index in range(2):
            folder = tmp_path / str(index)
            folder.mkdir()
            config = {"cluster": cluster, "task": {"type": "worker", "index": index}}
            worker = start("two_workers.py", str(folder), TF_CONFIG=json.dumps(config))
            workers.append(stack.enter_context(worker))
            stack.callback(worker.kill)  # a worker would wait forever if the other one failed
        together = [result(worker) for worker in workers]
    single = result(start("two_workers.py", str(alone), "alone"))
    for logs in together:
        assert logs.keys() == single.keys()
        for name, history in single.items():
            for log, values in history.items():
                np.testing.assert_allclose(logs[name][log], values, rtol=1e-5, err_msg=f"{name} {log}")

    def compare(path, dataset):
        if isinstance(dataset, h5py.Dataset) and "seed" not in path:
            # Tolerances for momenta, which hold the gradients at full precision, and for weights.
            atol = 1e-3 * np.abs(dataset[()]).max() + 1e-8 if path.startswith("optimizer") else 1e-6
            np.testing.assert_allclose(other[path][()], dataset[()], rtol=0, atol=atol, err_msg=path)

    for name in single:
        with h5py.File(alone / f"{name}.weights.h5") as one, h5py.File(tmp_path / f"0/{name}.weights.h5") as other:
            one.visititems(compare)
