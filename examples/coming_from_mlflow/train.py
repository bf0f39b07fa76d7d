"""MLflow's client on fleetlog: nested runs, searched, the best one registered, its file loaded by an alias.

fleetlog up                                     # in another terminal
pip install 'fleetlog[mlflow]'
python examples/coming_from_mlflow/train.py     # MLFLOW_TRACKING_URI names another server or namespace
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import mlflow
from mlflow.artifacts import download_artifacts

EXPERIMENT, MODEL = "mlflow-example", "mlflow-example"


def train(lr: float, steps: int = 200) -> None:
    """One run with its params, its losses and the file that it made."""
    with mlflow.start_run(run_name=f"lr={lr}", nested=True):
        mlflow.log_params({"lr": lr, "steps": steps})
        for step in range(steps):
            loss = abs(lr - 0.01) + 1 / (1 + step)
            mlflow.log_metrics({"train_loss": loss, "val_loss": loss * 1.1}, step=step)
        mlflow.log_text(f"lr={lr}\n", "model/weights.txt")


def main(uri: str | None = None) -> str:
    """Train, choose, register, load; the text of the file that was chosen. `uri`: None = MLFLOW_TRACKING_URI, or
    fleetlog on this machine."""
    if uri or not mlflow.is_tracking_uri_set():
        mlflow.set_tracking_uri(uri or "fleetlog://localhost:7460")
    experiment = mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run(run_name="sweep") as sweep:
        for lr in (0.1, 0.01, 0.001):
            train(lr)
    client = mlflow.MlflowClient()
    of_sweep = f"tags.mlflow.parentRunId = '{sweep.info.run_id}'"
    best, *_ = client.search_runs([experiment.experiment_id], of_sweep, order_by=["metrics.val_loss ASC"])
    if not client.search_registered_models(f"name = '{MODEL}'"):
        client.create_registered_model(MODEL)
    made = client.create_model_version(MODEL, f"{best.info.artifact_uri}/model", best.info.run_id)
    client.set_registered_model_alias(MODEL, "champion", made.version)
    with tempfile.TemporaryDirectory() as folder:
        found = download_artifacts(artifact_uri=f"models:/{MODEL}@champion", dst_path=folder)
        weights = (Path(found) / "weights.txt").read_text()
    print(f"{MODEL} {made.version} is the champion: {weights.strip()}, val_loss {best.data.metrics['val_loss']:.3g}")
    return weights


if __name__ == "__main__":
    main()
