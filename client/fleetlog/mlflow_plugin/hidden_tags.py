"""Tags in which the plugin keeps what it alone has to know of a run or a logged model. MLflow shows none of them, and
takes none: who could set where files are could have any file of a server read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fleetlog_core.errors import shown

from fleetlog.mlflow_plugin.errors import invalid
from fleetlog.mlflow_plugin.uris import ARTIFACT_SCHEME, TLS_ARTIFACT_SCHEME

FOREIGN_RUN = "fleetlog.foreign_run_id"
"""Id of a logged model's run that is not of this server."""
ARTIFACT_LOCATION = "fleetlog.artifact_location"
"""Where files of the experiment were when it was made, when the store had them kept elsewhere than on the server."""
_HIDDEN = (FOREIGN_RUN, ARTIFACT_LOCATION)
_ON_SERVER = ("mlflow-artifacts", ARTIFACT_SCHEME, TLS_ARTIFACT_SCHEME)
"""Schemes of the server's own files, which each reader sees by the URI that it can reach."""


def check_not_hidden(keys: Iterable[str]) -> None:
    """MlflowException when one of the keys is the plugin's own."""
    for key in keys:
        if key in _HIDDEN:
            raise invalid(f"Tag {shown(key)} is kept by fleetlog itself: give another key")


def without_hidden(tags: Mapping[str, str]) -> dict[str, str]:
    """Returns the tags that MLflow shows."""
    return {key: text for key, text in tags.items() if key not in _HIDDEN}


def location_tags(has_own_location: bool, location: str) -> dict[str, str]:
    """Returns what keeps the location for readers whose store has files elsewhere; nothing when the experiment has one
    of its own, or the files are on the server."""
    if has_own_location or location.partition(":")[0] in _ON_SERVER:
        return {}
    return {ARTIFACT_LOCATION: location}
