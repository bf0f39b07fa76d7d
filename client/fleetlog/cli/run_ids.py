"""Runs as people name them on a command line: by an id, or by as much of its beginning as tells it from others."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fleetlog_core.errors import shown

from fleetlog._calls.base import Deleted
from fleetlog._views.views import RunList
from fleetlog.client import Client
from fleetlog.errors import InvalidArgument, NotFound

NAMED = 10
"""Runs that a message about an ambiguous prefix names."""
HELP = "Id of the run, or its first digits when no other run has them."
_DIGITS = 32
_PREFIX = re.compile(r"[0-9a-f]{1,31}", re.ASCII)


def find_run(client: Client, text: str) -> str:
    """The whole id, deleted runs and branches that were left included. NotFound; InvalidArgument INVALID_ID,
    RUN_ID_AMBIGUOUS."""
    prefix = text.strip().lower().replace("-", "")
    if len(prefix) == _DIGITS:
        return prefix
    if not _PREFIX.fullmatch(prefix):
        raise InvalidArgument.of_field(
            "INVALID_ID", "run_id", f"{shown(text)} is not the 32 hexadecimal digits of an id, nor the first of them"
        )
    found = _beginning_with(client, prefix, "all") or _beginning_with(client, prefix, "superseded")
    if not found:
        raise NotFound("RUN_NOT_FOUND", f"no run of this namespace has an id that begins with {prefix}")
    if len(found) > 1:
        names = ", ".join(f"{run.id} ({shown(run.name)})" if run.name else run.id for run in found[:NAMED])
        more = ", and others" if len(found) > NAMED else ""
        raise InvalidArgument.of_field(
            "RUN_ID_AMBIGUOUS", "run_id", f"{prefix} begins the ids of several runs: {names}{more}; give more digits"
        )
    return found[0].id


def _beginning_with(client: Client, prefix: str, deleted: Deleted) -> RunList:
    return client.search_runs(
        f"run_id LIKE '{prefix}%'", limit=NAMED + 1, read_mask=["attributes"], deleted=deleted, order_by=["run_id ASC"]
    )


def find_runs(client: Client, texts: Iterable[str]) -> list[str]:
    """The whole ids, in order; one that is named again comes again. As find_run."""
    return [find_run(client, text) for text in texts]
