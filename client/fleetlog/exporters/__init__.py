"""Runs as files that other programs read: Parquet, MLflow's file store, and TensorBoard's event files."""

from fleetlog.exporters.exporting import export_runs
from fleetlog.exporters.progress import Exported

__all__ = ["Exported", "export_runs"]
