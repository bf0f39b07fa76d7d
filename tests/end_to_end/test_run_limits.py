"""A run that names more metrics, params, tags or datasets than it may have: the first stay, the others are told of.

Who writes over one stream is told at once. What came over several streams is put aside on its way into the tables, and
told on the run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

import grpc
import pytest
from fleetlog_core import limits
from fleetlog_core.log.port import Partition
from fleetlog_core.position import from_proto, to_proto
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2, position_pb2, query_pb2, query_pb2_grpc, run_pb2

from tests.end_to_end.refusals import SECONDS, append, points, told


@pytest.fixture(scope="module")
def channel(embedded_target: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(embedded_target, options=[("grpc.max_receive_message_length", -1)]) as opened:
        yield opened


def metrics(sequence: int, keys: list[str]) -> event_pb2.Event:
    columns = [event_pb2.MetricColumn(key=key, values=[1.0]) for key in keys]
    return event_pb2.Event(
        sequence=sequence, metrics_logged=event_pb2.MetricsLogged(step_deltas=[sequence], columns=columns)
    )


def params(sequence: int, keys: list[str]) -> event_pb2.Event:
    given = [event_pb2.Param(key=key, text="v") for key in keys]
    return event_pb2.Event(sequence=sequence, params_logged=event_pb2.ParamsLogged(params=given))


def tags(sequence: int, keys: list[str]) -> event_pb2.Event:
    return event_pb2.Event(sequence=sequence, tags_set=event_pb2.TagsSet(tags=dict.fromkeys(keys, "v")))


def position(answers: list[ingest_pb2.AppendEventsResponse]) -> position_pb2.Position:
    found: dict[Partition, int] = {}
    for answer in answers:
        for partition, offset in from_proto(answer.position).items():
            found[partition] = max(offset, found.get(partition, 0))
    return to_proto(found)


def read(channel: grpc.Channel, run: bytes, at_least: position_pb2.Position, mask: str) -> run_pb2.Run:
    request = query_pb2.GetRunsRequest(run_ids=[run.hex()], read_mask=[mask], at_least=at_least)
    (found,) = query_pb2_grpc.QueryServiceStub(channel).GetRuns(request, timeout=2 * SECONDS).runs
    return found


def datasets(sequence: int, keys: list[str]) -> event_pb2.Event:
    found = [event_pb2.Dataset(name=key, digest="d") for key in keys]
    return event_pb2.Event(sequence=sequence, datasets_logged=event_pb2.DatasetsLogged(datasets=found))


KINDS = [
    pytest.param(
        metrics, limits.METRICS_PER_RUN, limits.COLUMNS_PER_EVENT, "metrics", lambda run: [m.key for m in run.metrics],
        id="metrics",
    ),
    pytest.param(
        params, limits.PARAMS_PER_RUN, limits.PARAMS_PER_EVENT, "params", lambda run: [p.key for p in run.params],
        id="params",
    ),
    pytest.param(tags, limits.TAGS_PER_RUN, limits.TAGS_PER_EVENT, "tags", lambda run: sorted(run.tags), id="tags"),
    pytest.param(
        datasets, limits.DATASETS_PER_RUN, limits.DATASETS_PER_RUN // 2, "datasets",
        lambda run: [one.name for one in run.datasets], id="datasets",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("event", "limit", "at_once", "kind", "keys_of"), KINDS)
def test_what_is_too_many_is_refused_or_put_aside_and_the_first_ones_stay(
    channel: grpc.Channel,
    event: Callable[[int, list[str]], event_pb2.Event],
    limit: int,
    at_once: int,
    kind: str,
    keys_of: Callable[[run_pb2.Run], list[str]],
) -> None:
    run = os.urandom(16)

    def frame(writer: bytes, *events: event_pb2.Event) -> frame_pb2.Frame:
        return frame_pb2.Frame(run_id=run, writer_id=writer * 16, events=events)

    opening = event_pb2.Event(sequence=1, run_started=event_pb2.RunStarted(opening=event_pb2.RUN_OPENING_JOIN))
    keys = [f"k{number:06}" for number in range(limit + 2)]
    frames = [frame(b"a", opening)]
    for place, first in enumerate(range(0, limit, at_once)):
        frames.append(frame(b"a", event(place + 2, keys[first : first + at_once])))
    last = len(frames) + 1
    excess, again = event(last, keys[limit - 1 : limit + 1]), event(last + 1, keys[:2])
    answers = append(channel, [*frames, frame(b"a", excess, again), frame(b"a", points(last + 2, 7, key=keys[0]))])
    assert [answer.durable_sequence for answer in answers[-2:]] == [last + 1, last + 2]
    (refusal,) = answers[-2].refusals
    found = told(refusal.status)
    assert (refusal.sequence, found.code) == (last, "RESOURCE_EXHAUSTED")
    assert found.reason == f"TOO_MANY_{kind.upper()}"
    assert f"{limit:,}" in found.message
    assert f"{kind.upper()}_PER_RUN" in found.message
    assert keys[limit] in found.message

    other = append(channel, [frame(b"b", opening, event(2, keys[limit - 1 :]))])
    assert not other[0].refusals
    seen = position([*answers, *other])
    assert keys_of(read(channel, run, seen, kind)) == keys[:limit]
    request = query_pb2.GetRunRequest(run_id=run.hex(), read_mask=["attributes"], at_least=seen)
    problems = query_pb2_grpc.QueryServiceStub(channel).GetRun(request, timeout=SECONDS).run.problems
    assert [problem.reason for problem in problems] == [found.reason] * 2
    assert re.search(f"'{keys[limit]}( / d)?' and 1 more", problems[1].message)
