"""Spares MLflow its look for Spark, four fifths of what a call of mlflow.log_metric costs.

Where no registry URI is set MLflow asks an active Spark session for one, twice a call, and so tries to import pyspark;
Python remembers no import that failed. An empty registry URI says that it is the tracking URI, whatever that becomes,
and MLflow looks no further. The mark is a call of mlflow.log_metric in 130 µs.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

import mlflow

_VARIABLE = "MLFLOW_REGISTRY_URI"


def follow_tracking_uri(store_uri: str | None) -> None:
    """Let the registry's URI be the tracking URI, where it is and this store's is that one.

    Nothing changes where a registry URI is set, or where there is a pyspark that could know one.
    """
    if os.environ.get(_VARIABLE) or "pyspark" in sys.modules or find_spec("pyspark") is not None:
        return
    if store_uri == mlflow.get_tracking_uri() == mlflow.get_registry_uri():
        mlflow.set_registry_uri("")
