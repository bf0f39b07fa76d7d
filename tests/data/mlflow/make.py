"""Makes the stores of this folder, by whatever version of MLflow is installed: python make.py STORE, a URI.

`mlruns_VERSION.tar.gz` is a file store (MLFLOW_ALLOW_FILE_STORE=true with those that want it), `mlflow_VERSION.db.gz` a
database of SQLite; at an http:// URI it is in whatever that server has, with files and a deleted experiment. What is in
them stands in `expected.json`, counted as MLflow was called.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from pathlib import Path

import mlflow
from mlflow.entities import Metric, Param, RunTag

START = 1_700_000_000_000
WEIGHTS = bytes(range(256)) * 4_000
VALUES = (0.1, -2.5e-300, math.nan, math.inf, -math.inf, 7.0)


def main(uri: str, out: str) -> None:
    """Make one, and write what is in it."""
    mlflow.set_tracking_uri(uri)
    client = mlflow.tracking.MlflowClient()
    expected: dict[str, object] = {"version": mlflow.__version__}
    points: dict[str, list[list[object]]] = {}
    first = client.create_experiment("first", tags={"mlflow.note.content": "notes of it"})
    other = client.create_experiment("other")
    parent = client.create_run(first, START, {"mlflow.runName": "parent", "odd": "two\nlines: 'x' # é"})
    child = client.create_run(first, START + 5, {"mlflow.runName": "child", "mlflow.parentRunId": parent.info.run_id})
    gone = client.create_run(other, START + 9, {"mlflow.runName": "gone"})
    runs = {"parent": parent, "child": child, "gone": gone}
    for name, run in runs.items():
        metrics = [
            Metric(key, VALUES[(place + shift) % len(VALUES)], START + 10 * place, place - place % 2)
            for shift, key in enumerate(("loss", "val/acc"))
            for place in range(60 if name == "parent" else 3)
        ]
        client.log_batch(
            run.info.run_id, metrics, [Param("lr", "0.001"), Param("opt/name", "adam")], [RunTag("t", "1")]
        )
        points[name] = [[one.key, one.step, repr(one.value), one.timestamp] for one in metrics]
        client.log_text(run.info.run_id, f"text of {name}", "notes/a.txt") if uri.startswith(("file", "http")) else None
    if hasattr(client, "log_inputs"):
        from mlflow.entities import Dataset, DatasetInput, InputTag

        data = Dataset("web", "8f2c", "s3", '{"uri": "s3://b"}', schema='{"a": "b"}', profile="12: rows")
        client.log_inputs(parent.info.run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])
        expected["dataset"] = ["web", "8f2c", "training", "12: rows"]
    client.set_terminated(parent.info.run_id, "FINISHED", START + 70_000)
    client.set_terminated(child.info.run_id, "FAILED", START + 60_000)
    client.delete_run(gone.info.run_id)
    if hasattr(client, "create_logged_model"):
        from mlflow.entities import LoggedModelOutput

        model = client.create_logged_model(first, "lm", parent.info.run_id, {"a": "b"}, {"depth": "3"}, "Agent")
        client.finalize_logged_model(model.model_id, "READY")
        expected["logged_model"] = model.model_id
        if uri.startswith("http"):
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "weights.bin").write_bytes(WEIGHTS)
                client.log_model_artifacts(model.model_id, folder)
            client.log_outputs(parent.info.run_id, [LoggedModelOutput(model.model_id, 6)])
            expected["outputs"] = [[model.model_id, 6]]
    if uri.startswith("http"):
        deleted = client.create_experiment("deleted", tags={"why": "of no use"})
        runs["in deleted"] = client.create_run(deleted, START + 20, {"mlflow.runName": "in deleted"})
        client.log_metric(runs["in deleted"].info.run_id, "loss", 0.5, START + 21, 4)
        points["in deleted"] = [["loss", 4, "0.5", START + 21]]
        client.delete_experiment(deleted)
    client.create_registered_model("reg", {"team": "a"}, "of the registry")
    source = f"{parent.info.artifact_uri}/model"
    for _ in range(3):
        client.create_model_version("reg", source, parent.info.run_id, {"v": "x"}, description="a version")
    client.delete_model_version("reg", "2")
    client.transition_model_version_stage("reg", "3", "Production")
    if hasattr(client, "set_registered_model_alias"):
        client.set_registered_model_alias("reg", "champion", "1")
        expected["alias"] = ["champion", 1]
    expected |= {"points": points, "ids": {name: run.info.run_id for name, run in runs.items()}}
    Path(out).write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
