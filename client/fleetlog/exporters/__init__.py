"""Runs as files that other programs read: Parquet, MLflow's file store, and TensorBoard's event files."""

from fleetlog.exporters.mlruns import export_mlruns
from fleetlog.exporters.parquet import export_parquet
from fleetlog.exporters.progress import Exported
from fleetlog.exporters.tensorboard import export_tensorboard

__all__ = ["Exported", "export_mlruns", "export_parquet", "export_tensorboard"]
