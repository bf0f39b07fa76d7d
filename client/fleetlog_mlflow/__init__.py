"""Entry points of MLflow for `fleetlog://host:port/namespace`. MLflow loads them while it is being imported itself, so
nothing of MLflow, and nothing that takes long, is imported here at the top."""

from __future__ import annotations

from typing import Any


def tracking_store(store_uri: str | None = None, artifact_uri: str | None = None) -> Any:
    """Returns the tracking store of a URI."""
    from fleetlog.mlflow_plugin.registry_uri import follow_tracking_uri
    from fleetlog.mlflow_plugin.tracking import FleetlogStore

    follow_tracking_uri(store_uri)
    return FleetlogStore(store_uri, artifact_uri)


def registry_store(store_uri: str | None = None, tracking_uri: str | None = None) -> Any:
    """Returns the registry store of a URI."""
    from fleetlog.mlflow_plugin.registry import FleetlogRegistryStore

    return FleetlogRegistryStore(store_uri, tracking_uri)


def artifact_repository(artifact_uri: str, *args: Any, **kwargs: Any) -> Any:
    """Returns the artifact repository of a URI."""
    from fleetlog.mlflow_plugin.artifacts import FleetlogArtifactRepository

    return FleetlogArtifactRepository(artifact_uri, *args, **kwargs)


def server() -> Any:
    """Returns MLflow's server for `mlflow server --app-name fleetlog`."""
    from fleetlog.mlflow_plugin.pages import app

    return app()
