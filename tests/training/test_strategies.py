"""Runs on several devices and workers: equal results, and the end and resume of a run after the loss of a worker."""

import json
import os
import re
import subprocess
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from PIL import Image
from workers import cluster, kill_one, start

import cnnzoo
from cnnzoo.cli import main
from cnnzoo.training.run_dir import Run
from cnnzoo.training.strategies import Strategy, strategy_of

ROOT = Path(__file__).parents[2]


def finish(process):
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err[-3000:]
    return out


def weights(run):
    """Returns the trained weights of a run as one vector, and separately the states of its random generators."""
    arrays, seeds = [], []

    def take(name, item):
        if isinstance(item, h5py.Dataset):
            (seeds if "seed" in name else arrays).append(item[()].ravel())

    with h5py.File(run / "model.weights.h5") as file:
        file.visititems(take)
    return np.concatenate(arrays).astype(np.float64), seeds


def apart(one, other):
    """Returns the relative difference of the weights of two runs; their random states must be equal."""
    (a, seeds), (b, others) = weights(one), weights(other)
    assert all(map(np.array_equal, seeds, others))
    return np.linalg.norm(a - b) / np.linalg.norm(a)


# -- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "replicas", "nearest"), [(128, 3, "126 or 129"), (2, 4, "4"), (7, 2, "6 or 8")])
def test_strategy_check_rejects_indivisible_batch_size(size, replicas, nearest):
    message = f"`batch_size` must be a multiple of {replicas}, the number of replicas. Received: {size}; the nearest: "
    with pytest.raises(ValueError, match=f"^{re.escape(message + nearest)}$"):
        Strategy(replicas).check({"batch_size": size})
    Strategy(replicas).check({"batch_size": 3 * replicas})


def test_strategy_rejects_accumulate_with_several_replicas():
    with pytest.raises(ValueError, match=r"`accumulate` must be 1 with 2 replicas, where Keras fails. Received: 4"):
        Strategy(2).check({"batch_size": 8, "accumulate": 4})
    Strategy(1).check({"batch_size": 8, "accumulate": 4})


def test_strategy_rejects_unknown_name_and_invalid_tf_config(monkeypatch):
    with pytest.raises(ValueError, match=r"`strategy` must be one of mirrored, multi-worker. Received: 'both'"):
        cnnzoo.train("lenet", data="digits", strategy="both")
    for config, received in (
        ("", "none"),
        ("{", "{"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', '{"cluster'),
        ('{"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}', '{"cluster'),
    ):
        monkeypatch.setenv("TF_CONFIG", config)
        with pytest.raises(ValueError, match=f"TF_CONFIG must name the workers and this one: .* Received: {received}"):
            strategy_of("multi-worker")


def test_multi_worker_rejects_tensorflow_in_use(monkeypatch):
    import tensorflow as tf

    tf.constant(0)
    monkeypatch.setenv("TF_CONFIG", cluster(2)[0])
    with pytest.raises(ValueError, match="`strategy` must be given before TensorFlow is used in this process"):
        cnnzoo.train("lenet", data="digits", strategy="multi-worker")


def test_mirrored_on_one_device_matches_run_without_strategy(tmp_path, capsys):
    words = ["lenet", "--data", "digits", "--epochs", "1", "--batch-size", "32", "--limit", "64"]
    assert main(["train", *words, "--out", str(tmp_path / "one")]) == 0
    assert main(["train", *words, "--strategy", "mirrored", "--out", str(tmp_path / "mirrored")]) == 0
    assert apart(tmp_path / "one", tmp_path / "mirrored") < 1e-6
    capsys.readouterr()


def test_resume_warns_of_different_number_of_replicas(tmp_path):
    run = cnnzoo.train("lenet", data="digits", epochs=1, batch_size=32, limit=64, out=tmp_path / "run", verbose=0)
    (run / "model.weights.h5").unlink()
    plan = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**plan, "replicas": 2}))
    with pytest.warns(UserWarning, match="is resumed with replicas 1 instead of 2; its bits may differ"):
        cnnzoo.train(resume=run, verbose=0)


# -- several devices and workers -------------------------------------------------------------------------------------


def together(count, *words):
    """Trains on several workers; returns their printed outputs."""
    with ExitStack() as stack:
        workers = [start("workers", *words, TF_CONFIG=config) for config in cluster(count)]
        for each in workers:
            stack.enter_context(each)
            stack.callback(each.kill)  # before the context manager waits for the process
        return [finish(each) for each in workers]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vae", "dcgan"])  # three workers and JAX train lenet
def test_two_devices_and_two_workers_match_one_device(tmp_path, name):
    finish(start("one", name, tmp_path / "one", 2))
    finish(start("two", name, tmp_path / "two", 2))
    assert json.loads((tmp_path / "two/run.json").read_text())["replicas"] == 2
    assert apart(tmp_path / "one", tmp_path / "two") < 1e-5
    together(2, name, tmp_path / "workers", 2)
    assert apart(tmp_path / "one", tmp_path / "workers") < 1e-5


@pytest.mark.slow
def test_two_devices_match_one_device_on_jax(tmp_path):
    pytest.importorskip("jax")
    for devices in ("one", "two"):
        finish(start(devices, "lenet", tmp_path / devices, 2, KERAS_BACKEND="jax"))
    assert apart(tmp_path / "one", tmp_path / "two") < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_killed_worker_ends_run_within_minute_and_run_resumes(tmp_path, killed):
    run = tmp_path / "run"
    assert kill_one(run, killed).problem == ""
    state = Run.open(run).newest_state()
    plan = json.loads((run / "run.json").read_text())
    epochs = state.step // plan["steps_per_epoch"] + 2
    (run / "run.json").write_text(json.dumps({**plan, "epochs": epochs, "steps": epochs * plan["steps_per_epoch"]}))
    with pytest.warns(UserWarning, match="replicas 1 instead of 2"):
        cnnzoo.train(resume=run, verbose=0)
    history = json.loads((run / "history.json").read_text())
    assert [entry["epoch"] for entry in history] == list(range(1, epochs + 1))


# -- manifests -------------------------------------------------------------------------------------------------------


def shim(folder, name, text):
    (folder / name).write_text(f"#!/bin/bash\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A folder, first on PATH, with a `cnnzoo` command that prints its TF_CONFIG and arguments."""
    folder = tmp_path / "bin"
    folder.mkdir()
    shim(folder, "cnnzoo", 'echo "$TF_CONFIG"; echo "$@"')
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def checked(out):
    """Returns the printed workers, task and arguments; checks that `cnnzoo` accepts the arguments."""
    from cnnzoo.cli.main import parser

    config, words = out.splitlines()
    assert parser().parse_args(words.split()).strategy == "multi-worker"
    content = json.loads(config)
    return content["cluster"]["worker"], content["task"], words


def test_jobset_sets_tf_config_and_resumes(tmp_path, programs):
    claim, jobs = yaml.safe_load_all((ROOT / "deploy/jobset.yaml").read_text())
    assert (claim["kind"], jobs["kind"], jobs["apiVersion"]) == (
        "PersistentVolumeClaim", "JobSet", "jobset.x-k8s.io/v1alpha2"
    )  # fmt: skip
    (replicated,) = jobs["spec"]["replicatedJobs"]
    job = replicated["template"]["spec"]
    pod = job["template"]["spec"]
    (container,), (volume,) = pod["containers"], pod["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert container["volumeMounts"][0]["name"] == volume["name"]
    assert job["completionMode"] == "Indexed" and pod["restartPolicy"] == "Never"
    env = {each["name"]: each["value"] for each in container["env"]}
    assert int(env["WORKERS"]) == job["parallelism"] == job["completions"] == 2
    assert env["RUN"].startswith(container["volumeMounts"][0]["mountPath"])
    (port,) = container["ports"]
    # Host names of the pods of a JobSet: NAME-JOB-INDEX-POD.NAME
    name = jobs["metadata"]["name"]
    hosts = [f"{name}-{replicated['name']}-0-{i}.{name}:{port['containerPort']}" for i in range(2)]
    env = {**os.environ, **env, "JOB_COMPLETION_INDEX": "1", "RUN": str(tmp_path / "run")}
    for begun in (False, True):
        out = subprocess.run(container["command"], env=env, capture_output=True, text=True, check=True).stdout
        found, task, words = checked(out)
        assert found == hosts and task == {"type": "worker", "index": 1}
        assert ("--resume" in words) == begun
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "run/run.json").touch()


def test_slurm_script_sets_tf_config_and_resumes(tmp_path, programs):
    shim(programs, "scontrol", 'test "$3" = "node[1-2]" && printf "node1\\nnode2\\n"')
    shim(programs, "srun", 'shift; SLURM_PROCID=1 exec "$@"')
    env = {**os.environ, "SLURM_JOB_NODELIST": "node[1-2]", "RUN": str(tmp_path / "run")}
    script = ["bash", str(ROOT / "deploy/train.sbatch")]
    for begun in (False, True):
        out = subprocess.run(script, env=env, capture_output=True, text=True, check=True).stdout
        found, task, words = checked(out)
        assert found == ["node1:2222", "node2:2222"] and task == {"type": "worker", "index": 1}
        assert ("--resume" in words) == begun
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "run/run.json").touch()


@pytest.mark.slow
def test_three_workers_match_one_device(tmp_path):
    settings = json.dumps({"batch_size": 30, "limit": 90})
    finish(start("one", "lenet", tmp_path / "one", 2, settings))
    together(3, "lenet", tmp_path / "three", 2, settings)
    assert json.loads((tmp_path / "three/run.json").read_text())["replicas"] == 3
    assert apart(tmp_path / "one", tmp_path / "three") < 1e-5


@pytest.mark.slow
def test_workers_decode_only_own_share_of_stream(tmp_path):
    folder, batch, steps = tmp_path / "own", 8, 30
    for i in range(batch * steps):
        path = folder / "train" / ("cat", "dog")[i % 2] / f"{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (28, 28), np.uint8)).save(path)
    (folder / "test").mkdir()
    settings = {"data": str(folder), "batch_size": batch, "memory": 0, "limit": batch * steps}
    settings |= {"config": {"image_shape": [28, 28, 1]}}
    finish(start("one", "lenet", tmp_path / "one", 1, json.dumps(settings)))
    printed = together(2, "lenet", tmp_path / "workers", 1, json.dumps(settings))
    for each in printed:
        own, ahead = batch * steps // 2, 15 * batch // 2  # images of later steps, decoded in advance
        assert own <= int(each.split()[-1]) <= own + ahead
    assert apart(tmp_path / "one", tmp_path / "workers") < 1e-5
