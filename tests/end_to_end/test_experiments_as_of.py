"""Experiments as of a position: names and what was deleted, as they were then."""

from __future__ import annotations

import uuid

import fleetlog
import pytest
from fleetlog._transport.connection import connection_to
from fleetlog_proto.v1 import query_pb2, scope_pb2


def test_names_and_deletions_are_those_of_then(embedded_target: str) -> None:
    client, connection = fleetlog.Client(embedded_target), connection_to(embedded_target)
    first, other, later = (uuid.uuid4().hex for _ in range(3))
    renamed, deleted = client.create_experiment(first), client.create_experiment(other)
    then = connection.position()
    client.update_experiment(renamed.id, name=later)
    client.delete_experiment(deleted.id)
    client.create_experiment(uuid.uuid4().hex)

    past = {one.id: one for one in client.experiments(as_of=fleetlog.Position.of(then))}
    assert (past[renamed.id].name, past[deleted.id].name) == (first, other)
    assert max(past) == deleted.id
    assert past[renamed.id].create_time == renamed.create_time
    now = {one.id: one.name for one in client.experiments()}
    assert now[renamed.id] == later
    assert deleted.id not in now

    as_of = scope_pb2.AsOf(position=then)
    request = query_pb2.GetExperimentRequest(name=first, as_of=as_of)
    assert connection.query.GetExperiment(request).experiment.experiment_id == renamed.id
    with pytest.raises(fleetlog.NotFound):
        connection.call(connection.query.GetExperiment, query_pb2.GetExperimentRequest(name=later, as_of=as_of))
    by_number = query_pb2.GetExperimentRequest(experiment_id=deleted.id, as_of=as_of)
    assert not connection.query.GetExperiment(by_number).experiment.deleted
