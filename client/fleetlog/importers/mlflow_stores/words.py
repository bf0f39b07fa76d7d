"""MLflow's words for states and the like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_STATES = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}
RUN_NAME, PARENT, USER = "mlflow.runName", "mlflow.parentRunId", "mlflow.user"
DATASET_CONTEXT = "mlflow.data.context"
DEFAULT_EXPERIMENT = "Default"
_INFO_TAGS = {
    "source_name": "mlflow.source.name",
    "source_version": "mlflow.source.git.commit",
    "entry_point_name": "mlflow.project.entryPoint",
}
"""Fields that runs had before there were tags for them."""


def state_of(status: object) -> str:
    """Returns the state of a run's status: a word, or the number that files and old databases have."""
    text = "" if status is None else str(status)
    return _STATES.get(text, text.upper() or "RUNNING")


def with_info(tags: Mapping[str, str], info: Mapping[str, Any]) -> dict[str, str]:
    """Returns the tags, and what only old versions of MLflow have beside them."""
    old = {tag: str(info[field]) for field, tag in _INFO_TAGS.items() if info.get(field)}
    return {**old, **tags}
