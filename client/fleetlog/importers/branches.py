"""Runs of a source that go on from a step of another one, as branches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from fleetlog_proto.v1 import ingest_pb2

from fleetlog.client import Client
from fleetlog.errors import FleetlogError, is_verdict
from fleetlog.importers.connections import connection_of
from fleetlog.importers.run_facts import PreparedRun
from fleetlog.importers.source import Unread

BRANCH_SECONDS = 600.0
"""Longest wait for a branch to be made: the server adds up the points that it has."""


def branched(client: Client, run: PreparedRun, ids: Mapping[str, bytes], left_out: list[Unread]) -> bool:
    """Make the run a branch of the one that it was forked from; False when that can't be, which is told.

    FleetlogError: the server does not answer.
    """
    fork, connection = run.source.fork, connection_of(client)
    if fork is None:
        return False
    where = f"run {run.source.id}"
    origin = ids.get(fork.run)
    if origin is None:
        left_out.append(Unread(where, f"it is a run by itself: run {fork.run}, which it was forked from, did not come"))
        return False
    request = ingest_pb2.BranchRunRequest(
        namespace=client.namespace, run_id=origin.hex(), step=fork.step, branch_run_id=run.run_id,
        request_id=hashlib.blake2b(b"fork" + run.run_id, digest_size=16).digest(), at_least=connection.position(),
    )  # fmt: skip
    try:
        connection.saw(connection.call(connection.ingest.BranchRun, request, BRANCH_SECONDS).position)
    except FleetlogError as error:
        if not is_verdict(error):
            raise
        left_out.append(Unread(where, f"it is a run by itself, not a fork: {error.message}"))
        return False
    return True
