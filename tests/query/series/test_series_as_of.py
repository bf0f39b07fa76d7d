"""Points as of a position of the log: what is read never changes, whatever is logged later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fleetlog
import numpy as np
import pytest
from fleetlog._transport.connection import Connection, connection_to
from fleetlog_proto.v1 import metric_pb2, scope_pb2

EARLY, LATE = 700, 400
SECONDS = 120.0
READS: list[dict[str, Any]] = [
    {}, {"last_points": 5}, {"sample_steps": 7}, {"buckets": 3}, {"buckets": 500}, {"min_step": 100, "max_step": 650},
    {"axis": metric_pb2.METRIC_AXIS_TIME, "buckets": 4}, {"axis": metric_pb2.METRIC_AXIS_RELATIVE_TIME},
    {"per_rank": True}, {"per_rank": True, "buckets": 6},
]  # fmt: skip


@pytest.fixture(scope="module")
def past(embedded_target: str) -> Iterator[tuple[Connection, str, scope_pb2.AsOf, list[bytes]]]:
    """A run, a position amid its points, and what each read gave before more were logged."""
    connection = connection_to(embedded_target)
    with fleetlog.start_run("points as of", target=embedded_target) as run:
        for step in range(EARLY):
            run.log({"loss": float(step % 50), "other": 1.0}, step=step)
        run.flush(level="applied")
        then = scope_pb2.AsOf(position=connection.position())
        before = [read(connection, run.id, then, one) for one in READS]
        for step in range(-LATE, LATE):
            run.log({"loss": 1_000.0 + step, "late": 2.0}, step=step * 3)
        run.flush(level="applied")
        yield connection, run.id, then, before


def read(connection: Connection, run_id: str, then: scope_pb2.AsOf | None, which: dict[str, Any]) -> bytes:
    request = metric_pb2.ReadMetricRequest(
        run_ids=[run_id], keys=["loss", "other", "late"], as_of=then, at_least=connection.position(), **which
    )
    answers = connection.query.ReadMetric(request, timeout=SECONDS)
    merged = metric_pb2.ReadMetricResponse()
    for answer in answers:
        merged.MergeFrom(answer)
    return merged.SerializeToString(deterministic=True)


@pytest.mark.parametrize("place", range(len(READS)), ids=[str(sorted(which)) for which in READS])
def test_a_read_as_of_then_stays_as_it_was(
    past: tuple[Connection, str, scope_pb2.AsOf, list[bytes]], place: int
) -> None:
    connection, run_id, then, before = past
    assert before[place]
    assert read(connection, run_id, then, READS[place]) == before[place]
    assert read(connection, run_id, None, READS[place]) != before[place]


def test_the_client_reads_the_past_too(
    past: tuple[Connection, str, scope_pb2.AsOf, list[bytes]], embedded_target: str
) -> None:
    _, run_id, then, _ = past
    client = fleetlog.Client(embedded_target)
    position = fleetlog.Position.of(then.position)
    series = client.read_metric(run_id, "loss", as_of=position)
    assert series.steps.tolist() == list(range(EARLY))
    assert np.array_equal(series.values, [float(step % 50) for step in range(EARLY)])
    curve = client.read_buckets(run_id, "loss", 10, as_of=position)
    assert (int(curve.counts.sum()), float(curve.maxs.max())) == (EARLY, 49.0)
    assert len(client.read_metric(run_id, "late", as_of=position)) == 0
    assert len(client.read_metric(run_id, "loss")) == EARLY + 2 * LATE
