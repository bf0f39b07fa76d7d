"""Answers that no server of ours gives: each is an error that names the address, and none is taken or waited for."""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Callable, Iterator
from typing import Any

import fleetlog
import pytest
from fleetlog._transport import answers
from fleetlog.errors import FleetlogError
from fleetlog_proto.v1 import (
    artifact_pb2,
    event_pb2,
    experiment_pb2,
    facets_pb2,
    metric_pb2,
    position_pb2,
    query_pb2,
    run_pb2,
    selection_pb2,
    watch_pb2,
)

from tests.client.strange import Handler, strange_server

RUN, OTHER = "0" * 32, "1" * 32
Ask = Callable[[fleetlog.Client], object]


def refused(ask: Ask, told: str, **handlers: Handler) -> None:
    with strange_server(**handlers) as target:
        with pytest.raises(FleetlogError) as caught:
            ask(fleetlog.Client(target))
        assert caught.value.reason == "BAD_ANSWER", caught.value
        assert told in caught.value.message
        assert target in caught.value.message


def always(answer: Any) -> Handler:
    return lambda request, context: answer


ARTIFACT = artifact_pb2.Artifact(path="m.bin", size_bytes=1, sha256=bytes(32))
LISTS: list[tuple[Ask, str, Any]] = [
    (lambda client: client.list_artifacts(RUN), "ListArtifacts", artifact_pb2.ListArtifactsResponse),
    (lambda client: client.experiments(), "ListExperiments", query_pb2.ListExperimentsResponse),
    (lambda client: client.keys(), "ListKeys", facets_pb2.ListKeysResponse),
    (lambda client: client.values("user", limit=None), "ListValues", facets_pb2.ListValuesResponse),
]


@pytest.mark.parametrize(("ask", "call", "answer"), LISTS)
@pytest.mark.parametrize("tokens", [["a"], ["a", "b", "c"]])
def test_pages_that_go_round_in_a_circle_end(ask: Ask, call: str, answer: Any, tokens: list[str]) -> None:
    circle = itertools.cycle(tokens)
    refused(ask, "a page token came twice", **{call: lambda request, context: answer(next_page_token=next(circle))})


@pytest.mark.parametrize(("ask", "call", "answer"), LISTS)
def test_pages_without_end_end(ask: Ask, call: str, answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MAX_PAGES", 50)
    numbers = itertools.count(1)
    refused(ask, "more than 50 pages", **{call: lambda request, context: answer(next_page_token=str(next(numbers)))})
    assert next(numbers) == 51


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "a\0b", "a/../../b", "..\\x", "", "x" * 2000, "%2e%2e%2fx", "other/m.bin", "m.bin2"]
)
def test_paths_of_artifacts_are_such_that_a_caller_may_open(path: str) -> None:
    artifact = artifact_pb2.Artifact(path=path, size_bytes=1, sha256=bytes(32))
    refused(
        lambda client: client.list_artifacts(RUN, "m.bin"),
        "artifact",
        ListArtifacts=lambda request, context: artifact_pb2.ListArtifactsResponse(artifacts=[ARTIFACT, artifact]),
    )


@pytest.mark.parametrize("size", [-1, 1 << 62])
def test_sizes_of_artifacts_are_possible(size: int) -> None:
    artifact = artifact_pb2.Artifact(path="m.bin", size_bytes=size, sha256=bytes(32))
    answer = artifact_pb2.ListArtifactsResponse(artifacts=[artifact])
    refused(
        lambda client: client.list_artifacts(RUN), "no possible size", ListArtifacts=lambda request, context: answer
    )


def run(run_id: str = RUN, **fields: Any) -> run_pb2.Run:
    return run_pb2.Run(run_id=run_id, **fields)


def test_a_run_is_the_one_that_was_asked_for() -> None:
    refused(
        lambda client: client.get_run(RUN), f"and '{RUN}' was asked for",
        GetRun=lambda request, context: query_pb2.GetRunResponse(run=run(OTHER)),
    )  # fmt: skip
    for found in ([run(), run(OTHER)], [run(), run()], [run("")]):
        answer = query_pb2.GetRunsResponse(runs=found)
        refused(lambda client: client.get_runs([RUN]), "run", GetRuns=always(answer))


def test_an_id_in_the_notation_of_a_uuid_is_the_same_run() -> None:
    run_id = "0190a3b4c5d67e8f9a0b1c2d3e4f5061"
    with strange_server(
        GetRun=lambda request, context: query_pb2.GetRunResponse(run=run(run_id)),
        GetRuns=lambda request, context: query_pb2.GetRunsResponse(runs=[run(run_id)]),
    ) as target:
        client = fleetlog.Client(target)
        assert client.get_run("0190A3B4-C5D6-7E8F-9A0B-1C2D3E4F5061").id == run_id
        assert [one.id for one in client.get_runs(["0190A3B4-C5D6-7E8F-9A0B-1C2D3E4F5061"])] == [run_id]


def test_an_experiment_is_the_one_that_was_asked_for() -> None:
    other = query_pb2.GetExperimentResponse(experiment=experiment_pb2.Experiment(experiment_id=2, name="other"))
    refused(lambda client: client.get_experiment("mine"), "'other'", GetExperiment=lambda request, context: other)
    refused(lambda client: client.get_experiment(1), "is 2, and 1", GetExperiment=lambda request, context: other)
    never = query_pb2.ListExperimentsResponse(experiments=[experiment_pb2.Experiment(create_time_millis=1 << 62)])
    with strange_server(ListExperiments=lambda request, context: never) as target:
        with pytest.raises(FleetlogError, match="as a time") as caught:
            fleetlog.Client(target).experiments()
        assert caught.value.reason == "BAD_ANSWER"


def test_a_page_has_no_more_runs_than_were_asked_for() -> None:
    answer = query_pb2.SearchRunsResponse(runs=[run(f"{number:032x}") for number in range(20)])
    refused(
        lambda client: client.search_runs(limit=3), "20 runs, and 3 were asked for",
        SearchRuns=lambda request, context: answer,
    )  # fmt: skip


def test_a_time_that_no_calendar_has_and_a_state_of_tomorrow() -> None:
    answer = query_pb2.GetRunResponse(run=run(start_time_millis=1 << 62, state=99))
    with strange_server(GetRun=lambda request, context: answer) as target:
        found = fleetlog.Client(target).get_run(RUN)
        assert found.state == "STATE_99"
        with pytest.raises(FleetlogError, match="as a time"):
            _ = found.start_time


def column(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


def points(count: int, run_id: str = RUN, key: str = "loss", rank: int | None = None) -> metric_pb2.MetricPart:
    steps = column(*range(count))
    chunk = metric_pb2.PointChunk(steps=steps, times_millis=steps, values=struct.pack(f"<{count}d", *[0.0] * count))
    return metric_pb2.MetricPart(run_id=run_id, key=key, points=chunk, rank=rank)


SHORT = metric_pb2.MetricPart(run_id=RUN, key="loss", points=metric_pb2.PointChunk(steps=column(1, 2)))
TORN = metric_pb2.MetricPart(
    run_id=RUN, key="loss", points=metric_pb2.PointChunk(steps=b"123", times_millis=b"123", values=b"123")
)
BUCKETS = metric_pb2.MetricPart(run_id=RUN, key="loss", buckets=metric_pb2.BucketChunk(steps=column(1)))

_SIX = column(*range(6))
FULL = metric_pb2.MetricPart(
    run_id=RUN, key="loss",
    buckets=metric_pb2.BucketChunk(steps=_SIX, counts=_SIX, mins=_SIX, maxs=_SIX, means=_SIX, nans=_SIX),
)  # fmt: skip


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (points(1, OTHER), "not asked for"),
        (points(1, key="other"), "'other' of run"),
        (points(1, rank=3), "rank 3"),
        (points(4), "more than 3 points"),
        (SHORT, "not of one length"),
        (TORN, "not of one length"),
        (BUCKETS, "buckets"),
    ],
)
def test_points_are_those_of_the_series_that_was_asked_for(part: metric_pb2.MetricPart, told: str) -> None:
    def answer(request: Any, context: Any) -> Iterator[metric_pb2.ReadMetricResponse]:
        yield metric_pb2.ReadMetricResponse(parts=[part])

    refused(lambda client: client.read_metric(RUN, "loss", last=3), told, ReadMetric=answer)


@pytest.mark.parametrize(
    ("ask", "part", "told"),
    [
        (lambda client: client.read_metric(RUN, "loss", max_points=1_000), points(7), "1,000 points in all"),
        (lambda client: client.read_series([RUN], ["loss"], max_points=1_000), points(7), "1,000 points in all"),
        (lambda client: client.read_buckets(RUN, "loss", 10), FULL, "more than 10 buckets of 'loss'"),
    ],
)
def test_a_series_that_never_ends_ends(ask: Callable[[fleetlog.Client], object], part: Any, told: str) -> None:
    def endless(request: Any, context: Any) -> Iterator[metric_pb2.ReadMetricResponse]:
        while True:
            yield metric_pb2.ReadMetricResponse(parts=[part, points(0)] if part.HasField("points") else [part])

    refused(ask, told, ReadMetric=endless)


@pytest.mark.parametrize(("part", "told"), [(points(1), "instead of buckets"), (BUCKETS, "not of one length")])
def test_buckets_are_buckets(part: metric_pb2.MetricPart, told: str) -> None:
    def answer(request: Any, context: Any) -> Iterator[metric_pb2.ReadMetricResponse]:
        yield metric_pb2.ReadMetricResponse(parts=[part])

    refused(lambda client: client.read_buckets(RUN, "loss", 10), told, ReadMetric=answer)


def test_keys_are_of_the_kind_that_was_asked_for() -> None:
    for kind in (facets_pb2.KEY_KIND_METRIC, facets_pb2.KEY_KIND_ATTRIBUTE):
        answer = facets_pb2.ListKeysResponse(keys=[facets_pb2.KeyFacet(key="x", kind=kind)])
        refused(lambda client: client.keys(kind="params"), "a key of kind", ListKeys=always(answer))
    many = facets_pb2.ListValuesResponse(values=[facets_pb2.ValueFacet(value=str(n)) for n in range(20)])
    refused(lambda client: client.values("user", limit=3), "20 values", ListValues=lambda request, context: many)


def test_a_selection_has_the_objectives_and_groups_that_were_asked_for() -> None:
    group = selection_pb2.SelectedGroup(rank=1, runs=[run()])
    for groups, told in (([group], "a selection"), ([group] * 20, "20 groups, and 3 were asked for")):
        answer = selection_pb2.SelectRunsResponse(groups=groups)
        refused(
            lambda client: client.select(minimize="metrics.loss", limit=3), told,
            SelectRuns=always(answer),
        )  # fmt: skip


def test_a_change_of_watched_runs_that_never_ends_ends() -> None:
    def endless(request: Any, context: Any) -> Iterator[watch_pb2.WatchRunsResponse]:
        for number in itertools.count():
            yield watch_pb2.WatchRunsResponse(entered=[run(f"{number:032x}")], snapshot=True)

    refused(lambda client: next(client.watch_runs(limit=10)), "a change of more than", WatchRuns=endless)


def test_a_watch_that_orders_runs_it_never_told_is_refused() -> None:
    def wrong(request: Any, context: Any) -> Iterator[watch_pb2.WatchRunsResponse]:
        at = position_pb2.Position(offsets=[position_pb2.PartitionOffset(topic="t", next_offset=1)])
        yield watch_pb2.WatchRunsResponse(entered=[run()], order=[RUN, OTHER], snapshot=True, position=at)

    refused(lambda client: next(client.watch_runs(limit=10)), "a change of watched runs", WatchRuns=wrong)


@pytest.mark.parametrize("damage", ["garbage", "cut", "offsets"])
def test_a_table_of_runs_that_is_none_is_refused_before_anything_reads_its_columns(damage: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    batch = pyarrow.record_batch({"run_id": [RUN, OTHER], "name": ["a", "b"]})
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    data = sink.getvalue().to_pybytes()
    if damage == "garbage":
        data = b"\xff" * 100
    elif damage == "cut":
        data = data[: len(data) * 2 // 3]
    else:
        data = data.replace(struct.pack("<3i", 0, 32, 64), struct.pack("<3i", 0, 1 << 30, 64))

    def table(request: Any, context: Any) -> Iterator[query_pb2.StreamRunsResponse]:
        yield query_pb2.StreamRunsResponse(arrow=data)

    refused(
        lambda client: client.search_runs(limit=None).to_arrow(), "a table of runs", StreamRuns=table,
        SearchRuns=lambda request, context: query_pb2.SearchRunsResponse(runs=[run()], next_page_token="more"),
    )  # fmt: skip


def test_what_is_not_a_number_in_an_answer_is_only_that() -> None:
    metric = run_pb2.MetricSummary(key="loss", last=math.nan)
    answer = query_pb2.GetRunResponse(run=run(metrics=[metric], params=[event_pb2.Param(key="empty")]))
    with strange_server(GetRun=lambda request, context: answer) as target:
        found = fleetlog.Client(target).get_run(RUN)
    assert math.isnan(found.metrics["loss"])
    assert found.params == {"empty": ""}
