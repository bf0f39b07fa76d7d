"""How does MLflow track to fleetlog? Its tracking store and artifact repository. Nothing else here imports mlflow."""

from __future__ import annotations


def use(uri: str) -> None:
    """Track with MLflow to a fleetlog server, such as `fleetlog://localhost:7460/team`.

    Sets the tracking and the registry URI. With the tracking URI alone MLflow looks for pyspark at each call of
    mlflow.log_metric, which costs five times as long as the rest of it.
    """
    import mlflow

    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
