"""Runs of a source that are here already, as far as an import has to know them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleetlog_proto.v1 import event_pb2, position_pb2, query_pb2, run_pb2

from fleetlog._transport.answers import check_ids
from fleetlog._values.params import from_param
from fleetlog.client import Client
from fleetlog.importers.connections import connection_of
from fleetlog.importers.run_facts import SOURCE_STATE, PreparedRun

RUNS_PER_READ = 200


@dataclass(frozen=True, slots=True)
class PresentRun:
    """A run that is here."""

    params: dict[str, object]
    tags: dict[str, str]
    points: dict[str, int]
    """Points by key."""
    has_ended: bool
    deleted: bool

    def grows(self, run: PreparedRun) -> bool:
        """True if it came whole as far as it went then: what is behind that may have come since. False for one of which
        an import stopped in between: all of it is sent again."""
        return self.has_ended or SOURCE_STATE in self.tags or not run.has_ended


def present_runs(client: Client, ids: Sequence[bytes], at_least: position_pb2.Position) -> dict[bytes, PresentRun]:
    """Runs that are here at a position, of these, by id. FleetlogError."""
    connection, found = connection_of(client), dict[bytes, PresentRun]()
    # Most are not here, and what has summaries takes four times as long to find that out.
    there = there_of(client, ids, at_least)
    known = [run_id for run_id in ids if run_id in there]
    for first in range(0, len(known), RUNS_PER_READ):
        asked = [run_id.hex() for run_id in known[first : first + RUNS_PER_READ]]
        request = query_pb2.GetRunsRequest(namespace=client.namespace, run_ids=asked, summaries=True, at_least=at_least)
        runs = connection.call(connection.query.GetRuns, request, client.timeout).runs
        check_ids(client.target, "run", [run.run_id for run in runs], asked)
        found |= {bytes.fromhex(run.run_id): _present(run) for run in runs}
    return found


def there_of(client: Client, ids: Sequence[bytes], at_least: position_pb2.Position) -> set[bytes]:
    """Ids of the runs, at most 1,000, that are here at a position. FleetlogError."""
    connection, asked = connection_of(client), [run_id.hex() for run_id in ids]
    request = query_pb2.GetRunsRequest(
        namespace=client.namespace, run_ids=asked, read_mask=["attributes"], at_least=at_least
    )
    runs = connection.call(connection.query.GetRuns, request, client.timeout).runs
    check_ids(client.target, "run", [run.run_id for run in runs], asked)
    return {bytes.fromhex(run.run_id) for run in runs}


def _present(run: run_pb2.Run) -> PresentRun:
    return PresentRun(
        {param.key: from_param(param) for param in run.params},
        dict(run.tags),
        {metric.key: metric.range.count for metric in run.metrics},
        run.state not in (event_pb2.RUN_STATE_RUNNING, event_pb2.RUN_STATE_SCHEDULED),
        run.deleted,
    )
