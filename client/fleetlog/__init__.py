"""fleetlog: experiment tracking that never loses a point.

with fleetlog.start_run(experiment="speedrun", params={"lr": 2e-5}) as run:
    run.log({"train_loss": 2.1}, step=10)
fleetlog.Client().search_runs("metrics.train_loss < 3", experiments=["speedrun"])
"""

from fleetlog._calls.base import Deleted, Experiments
from fleetlog._calls.imports import ImportedRuns
from fleetlog._calls.searches import Total
from fleetlog._delivery.registry import Level, flush
from fleetlog._imports.importing import LeftOutValue
from fleetlog._runs.open_run import EndState
from fleetlog._runs.run import Run
from fleetlog._runs.start import start_run
from fleetlog._values.as_of import AsOf
from fleetlog._values.datasets import Dataset
from fleetlog._values.position import Position
from fleetlog._views.artifacts import Artifact
from fleetlog._views.comparing import Comparison
from fleetlog._views.events import DeniedCall, LoggedEvent
from fleetlog._views.facets import Bin, KeyDescription, KeyInfo, Kind, ValueCount
from fleetlog._views.models import Approval, Model, ModelComment, ModelEvent, ModelVersion
from fleetlog._views.searches import Explanation
from fleetlog._views.selection import Group, Mode, Objective, ObjectiveStats, Selection, Statistic, Verdict
from fleetlog._views.series import Axis, Branch, Buckets, GroupCurve, Series, Which
from fleetlog._views.tokens import Caller, NewToken, Token
from fleetlog._views.views import Activity, Experiment, MetricSummary, Problem, RunList, RunView
from fleetlog._views.watching import RunChanges
from fleetlog._views.webhooks import Webhook, WebhookDelivery, WebhookTest
from fleetlog._views.writers import Writer
from fleetlog.client import Client
from fleetlog.errors import (
    AlreadyExists,
    DataLoss,
    DeadlineExceeded,
    FailedPrecondition,
    FleetlogError,
    InvalidArgument,
    NotFound,
    OutOfRange,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Violation,
)

__version__ = "0.1.0"
__all__ = [
    "Activity",
    "AlreadyExists",
    "Approval",
    "Artifact",
    "AsOf",
    "Axis",
    "Bin",
    "Branch",
    "Buckets",
    "Caller",
    "Client",
    "Comparison",
    "DataLoss",
    "Dataset",
    "DeadlineExceeded",
    "Deleted",
    "DeniedCall",
    "EndState",
    "Experiment",
    "Experiments",
    "Explanation",
    "FailedPrecondition",
    "FleetlogError",
    "Group",
    "GroupCurve",
    "ImportedRuns",
    "InvalidArgument",
    "KeyDescription",
    "KeyInfo",
    "Kind",
    "LeftOutValue",
    "Level",
    "LoggedEvent",
    "MetricSummary",
    "Mode",
    "Model",
    "ModelComment",
    "ModelEvent",
    "ModelVersion",
    "NewToken",
    "NotFound",
    "Objective",
    "ObjectiveStats",
    "OutOfRange",
    "PermissionDenied",
    "Position",
    "Problem",
    "ResourceExhausted",
    "Run",
    "RunChanges",
    "RunList",
    "RunView",
    "Selection",
    "Series",
    "Statistic",
    "Token",
    "Total",
    "Unauthenticated",
    "Unavailable",
    "ValueCount",
    "Verdict",
    "Violation",
    "Webhook",
    "WebhookDelivery",
    "WebhookTest",
    "Which",
    "Writer",
    "flush",
    "start_run",
]

for _name in __all__:
    # Users see fleetlog.Run, not the room that it is made in; pickles name it so too.
    if hasattr(globals()[_name], "__qualname__"):
        globals()[_name].__module__ = __name__
del _name


def __dir__() -> list[str]:
    """What users use; the rooms of the package are left out."""
    return sorted([*__all__, "__version__", "__doc__"])
