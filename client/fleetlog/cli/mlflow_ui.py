"""fleetlog mlflow-ui: MLflow's pages and REST API on a fleetlog server."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Annotated

import typer

from fleetlog._transport.targets import dialed, uses_tls
from fleetlog.cli.context import Namespace, Target
from fleetlog.client import Client

MISSING = "this needs all of MLflow: pip install 'fleetlog[mlflow-server]'"


def mlflow_ui(
    target: Target = None,
    namespace: Namespace = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="HTTP port.")] = 5000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer.")] = 2,
) -> None:
    """Serve MLflow's pages and its REST API over a namespace, by `mlflow server` in the foreground.

    MLflow's clients use it by its address, http://host:port. Whoever reaches that can read and write everything there.

    Example: fleetlog mlflow-ui --port 5000
    """
    if find_spec("mlflow") is None or find_spec("flask") is None:
        raise SystemExit(f"fleetlog: {MISSING}")
    with Client(target, namespace) as client:
        words = server_words(client.target, client.namespace, host, port, workers)
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", *words])  # noqa: S606  no shell is wanted


def server_words(target: str, namespace: str, host: str, port: int, workers: int) -> Sequence[str]:
    """Returns the arguments of `mlflow`.

    Artifacts are handed on to the namespace, so that files of runs which were made over HTTP and in process are the
    same files.
    """
    scheme, address = ("fleetlogs", dialed(target)) if uses_tls(target) else ("fleetlog", target)
    uri = f"{scheme}://{address}/{namespace}"
    return [
        "server", "--app-name", "fleetlog", "--backend-store-uri", uri, "--registry-store-uri", uri,
        "--artifacts-destination", f"{scheme}-artifacts://{address}/{namespace}",
        "--default-artifact-root", "mlflow-artifacts:/", "--serve-artifacts",
        "--host", host, "--port", str(port), "--workers", str(workers),
    ]  # fmt: skip
