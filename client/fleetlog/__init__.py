"""fleetlog: experiment tracking that never loses a point.

with fleetlog.start_run(experiment="speedrun", params={"lr": 2e-5}) as run:
    run.log({"train_loss": 2.1}, step=10)
fleetlog.Client().search_runs("metrics.train_loss < 3", experiments=["speedrun"])
"""

from fleetlog_proto.v1.position_pb2 import Position

from fleetlog._calls.imports import ImportedRuns
from fleetlog._delivery.registry import flush
from fleetlog._imports.importing import LeftOutValue
from fleetlog._runs.run import Run
from fleetlog._runs.start import start_run
from fleetlog._values.as_of import AsOf
from fleetlog._values.datasets import Dataset
from fleetlog._views.comparing import Comparison
from fleetlog._views.facets import KeyInfo, ValueCount
from fleetlog._views.models import Approval, Model, ModelComment, ModelEvent, ModelVersion
from fleetlog._views.searches import Explanation
from fleetlog._views.selection import Group, Objective, ObjectiveStats, Selection, Verdict
from fleetlog._views.series import Buckets, Series
from fleetlog._views.views import Experiment, MetricSummary, RunList, RunView
from fleetlog._views.watching import RunChanges
from fleetlog.client import Client
from fleetlog.errors import (
    AlreadyExists,
    DataLoss,
    DeadlineExceeded,
    FailedPrecondition,
    FleetlogError,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
)

__version__ = "0.1.0"
__all__ = [
    "AlreadyExists",
    "Approval",
    "AsOf",
    "Buckets",
    "Client",
    "Comparison",
    "DataLoss",
    "Dataset",
    "DeadlineExceeded",
    "Experiment",
    "Explanation",
    "FailedPrecondition",
    "FleetlogError",
    "Group",
    "ImportedRuns",
    "InvalidArgument",
    "KeyInfo",
    "LeftOutValue",
    "MetricSummary",
    "Model",
    "ModelComment",
    "ModelEvent",
    "ModelVersion",
    "NotFound",
    "Objective",
    "ObjectiveStats",
    "Position",
    "ResourceExhausted",
    "Run",
    "RunChanges",
    "RunList",
    "RunView",
    "Selection",
    "Series",
    "Unavailable",
    "ValueCount",
    "Verdict",
    "flush",
    "start_run",
]
