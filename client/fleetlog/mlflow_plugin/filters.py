"""MLflow's searches in fleetlog's language. Pure; MLflow's own parser says what it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mlflow.utils.search_utils import SearchUtils

Clause = dict[str, Any]
_GROUPS = {"metric": "metrics", "parameter": "params", "tag": "tags", "attribute": "attributes", "dataset": "datasets"}
_HERE = "artifact_uri"
"""An attribute that the server does not know: it is derived from others."""
_ATTRIBUTES = {"run_name": "name", "status": "state", "user_id": "user"}
_TIMES = ("start_time", "end_time")
_STATES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")


@dataclass(frozen=True)
class RunFilter:
    """A filter for the server, and what is left to ask of each run that it finds."""

    text: str
    beside: tuple[Clause, ...] = ()

    def takes(self, run: Any) -> bool:
        """True if the run is what the rest asks for."""
        return all(SearchUtils._does_run_match_clause(run, clause) for clause in self.beside)


def run_filter(text: str | None) -> RunFilter:
    """Returns a filter of search_runs. MlflowException when it is none."""
    clauses = SearchUtils.parse_search_filter(text)
    beside = tuple(clause for clause in clauses if clause["type"] == "attribute" and clause["key"] == _HERE)
    return RunFilter(" AND ".join(_condition(clause) for clause in clauses if clause not in beside), beside)


def run_order(items: Sequence[str] | None) -> list[str]:
    """Returns the keys of order_by. MlflowException when one is none. MLflow orders params and tags as texts."""
    found: list[str] = []
    for item in items or ():
        kind, key, ascending = SearchUtils.parse_order_by_for_search_runs(item)
        key = SearchUtils.translate_key_alias(key) if kind == "attribute" else key
        if kind == "attribute" and key == _HERE:
            name = "attributes.run_id"
        elif kind == "parameter":
            name = f"text({_name(kind, key)})"
        else:
            name = _name(kind, key)
        found.append(f"{name} {'ASC' if ascending else 'DESC'}")
    return found


def _condition(clause: Clause) -> str:
    kind, operator, value = clause["type"], clause["comparator"].upper(), clause["value"]
    key = SearchUtils.translate_key_alias(clause["key"]) if kind == "attribute" else clause["key"]
    name = _name(kind, key)
    if operator in ("IS NULL", "IS NOT NULL"):
        return f"{name} {operator}"
    if kind == "attribute" and key == "status" and operator in ("=", "!=") and value == "FAILED":
        # Runs that are lost are shown as failed.
        return f"{name} {'IN' if operator == '=' else 'NOT IN'} ('FAILED', 'LOST')"
    if operator in ("IN", "NOT IN"):
        return f"{name} {operator} ({', '.join(_quoted(str(one)) for one in value)})"
    if kind == "attribute" and key in _TIMES:
        return f"{name} {operator} {_moment(value)}"
    if kind == "attribute" and key == "status" and operator in ("=", "!=") and value not in _STATES:
        # Every run has a state, and none has this one.
        return f"{name} IS {'NULL' if operator == '=' else 'NOT NULL'}"
    return f"{name} {operator} {value if kind == 'metric' else _quoted(str(value))}"


def _moment(millis: Any) -> str:
    """Returns a time for the server, to which a small number by itself would be seconds."""
    try:
        moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(millis))
    except (ValueError, OverflowError):
        return str(millis)
    return _quoted(moment.isoformat(timespec="milliseconds"))


def _name(kind: str, key: str) -> str:
    if kind == "attribute":
        return f"attributes.{_ATTRIBUTES.get(key, key)}"
    if kind == "dataset":
        return f"datasets.{key}"
    return f"{_GROUPS[kind]}.`{key.replace('`', '``')}`"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
