"""The callbacks of Weights & Biases and MLflow, offline; skipped if they are not installed."""

import json

import pytest

import cnnzoo

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of the trackers themselves


def train(out, callback):
    run = cnnzoo.train(
        "lenet", data="digits", epochs=2, limit=64, batch_size=32, out=out, callbacks=[callback], verbose=0
    )
    return json.loads((run / "history.json").read_text())[-1]


def test_wandb_callback_logs_final_loss(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    from wandb.integration.keras import WandbMetricsLogger

    monkeypatch.chdir(tmp_path)
    with wandb.init(project="test", mode="offline") as tracked:
        last = train(tmp_path / "run", WandbMetricsLogger())
        assert tracked.summary["epoch/loss"] == pytest.approx(last["loss"])


def test_mlflow_callback_logs_final_loss(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    with mlflow.start_run() as tracked:
        last = train(tmp_path / "run", mlflow.keras.MlflowCallback())
    logged = mlflow.get_run(tracked.info.run_id).data.metrics
    assert logged["loss"] == pytest.approx(last["loss"])
