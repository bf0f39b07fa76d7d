"""fleetlog: experiment tracking that never loses a point.

with fleetlog.start_run(experiment="speedrun", params={"lr": 2e-5}) as run:
    run.log({"train_loss": 2.1}, step=10)
fleetlog.Client().search_runs("metrics.train_loss < 3", experiments=["speedrun"])
"""

from fleetlog_proto.v1.position_pb2 import Position

from fleetlog.as_of import AsOf
from fleetlog.calls.imports import ImportedRuns
from fleetlog.client import Client
from fleetlog.comparing import Comparison
from fleetlog.datasets import Dataset
from fleetlog.deliveries import flush
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
from fleetlog.facets import KeyInfo, ValueCount
from fleetlog.importing import LeftOutValue
from fleetlog.run import Run
from fleetlog.searches import Explanation
from fleetlog.selection import Group, Objective, ObjectiveStats, Selection, Verdict
from fleetlog.series import Buckets, Series
from fleetlog.starting import start_run
from fleetlog.views import Experiment, MetricSummary, RunList, RunView
from fleetlog.watching import RunChanges

__version__ = "0.1.0"
__all__ = [
    "AlreadyExists",
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
