"""Curves of groups over a real server, against the curves of their runs put together in Python."""

from __future__ import annotations

import math
import statistics
from typing import Any, Literal

import fleetlog
import numpy as np
import pytest
from fleetlog._transport.connection import connection_to
from fleetlog_core import limits
from fleetlog_proto.v1 import aggregate_pb2
from fleetlog_query.language.plan import plan_of

from tests.query.random_runs import log_fleet
from tests.query.reference.evaluate import Row, matches

EXPERIMENT = "aggregates"
Label = tuple[str | None, ...]


@pytest.fixture(scope="module")
def fleet(embedded_target: str) -> dict[str, Row]:
    return log_fleet(embedded_target, EXPERIMENT)


def label_of(row: Row, key: str) -> str | None:
    kind, _, name = key.partition(".")
    if kind == "params":
        return row.params[name][1] if name in row.params else None
    return row.tags.get(name) if kind == "tags" else str(row.attributes[key])


@pytest.mark.parametrize("axis", ["step", "time", "relative"])
@pytest.mark.parametrize("group_by", [[], ["params.x"], ["tags.x", "user"]])
@pytest.mark.parametrize("text", ["", "metrics.y > 0"])
def test_groups_are_their_runs_put_together(
    embedded_target: str, fleet: dict[str, Row], text: str, group_by: list[str], axis: Literal["step", "time"]
) -> None:
    client, plan = fleetlog.Client(embedded_target), plan_of(text)
    labels: dict[str, Label] = {
        run_id: tuple(label_of(row, key) for key in group_by)
        for run_id, row in fleet.items()
        if "x" in row.points and matches(plan, row)
    }
    found = client.aggregate_metric(
        "x", text, group_by=group_by, experiments=EXPERIMENT, buckets=7, axis=axis, limit=100
    )
    assert sum(one.runs for one in found) == len(labels)
    assert [one.runs for one in found] == sorted((one.runs for one in found), reverse=True)
    values: dict[tuple[Label, int], list[tuple[float, float, float]]] = {}
    for curve in client.read_curves(list(labels), ["x"], 7, axis=axis):
        columns = zip(curve.steps.tolist(), curve.means, curve.mins, curve.maxs, strict=True)
        for x, mean, low, high in columns:
            if not math.isnan(mean):
                values.setdefault((labels[curve.run_id], x), []).append((mean, low, high))
    assert {tuple(one.values.values()) for one in found} == set(labels.values())
    for one in found:
        label = tuple(one.values.values())
        assert one.xs.tolist() == sorted(x for mine, x in values if mine == label)
        for place, x in enumerate(one.xs.tolist()):
            there = values[(label, x)]
            assert one.counts[place] == len(there)
            assert one.mins[place] == min(low for _, low, _ in there)
            assert one.maxs[place] == max(high for *_, high in there)
            means = [mean for mean, *_ in there]
            if all(map(math.isfinite, means)):
                assert one.means[place] == pytest.approx(statistics.fmean(means))
                if len(means) > 1:
                    assert one.stds[place] == pytest.approx(statistics.stdev(means))


def test_runs_that_are_deleted_and_what_came_later_are_left_out(embedded_target: str, experiment: str) -> None:
    client = fleetlog.Client(embedded_target)
    ids = client.import_runs({"metrics.loss": [1.0, 2.0, 6.0], "tags.t": ["a", "a", "b"]}, experiment).run_ids
    before = fleetlog.Position.of(connection_to(embedded_target).position())
    client.update_runs(ids[:1], deleted=True)
    client.update_runs(ids, tags={"t": "c"})
    (now,) = client.aggregate_metric("loss", group_by="tags.t", experiments=experiment)
    assert (now.values, now.runs, now.means.tolist()) == ({"tags.t": "c"}, 2, [4.0])
    then = client.aggregate_metric("loss", group_by="tags.t", experiments=experiment, as_of=before)
    assert [(one.values["tags.t"], one.runs, one.means.tolist()) for one in then] == [("a", 2, [1.5]), ("b", 1, [6.0])]
    (both,) = client.aggregate_metric("loss", experiments=experiment, deleted="all")
    assert (both.runs, both.means.tolist()) == (3, [3.0])
    assert client.aggregate_metric("none", experiments=experiment) == []


def test_groups_beyond_the_limit_are_counted(embedded_target: str, experiment: str) -> None:
    client, connection = fleetlog.Client(embedded_target), connection_to(embedded_target)
    client.import_runs({"metrics.loss": [1.0] * 6, "params.k": [1, 1, 1, 2, 2, 3]}, experiment)
    request = aggregate_pb2.AggregateMetricRequest(key="loss", group_by=["params.k"], limit=2)
    request.scope.experiment_names.append(experiment)
    request.scope.at_least.CopyFrom(connection.position())
    found = connection.call(connection.query.AggregateMetric, request)
    assert [one.runs for one in found.groups] == [3, 2]
    assert found.left_out_runs == 1


def test_of_many_runs_there_are_fewer_buckets_and_of_too_many_none(
    embedded_target: str, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = fleetlog.Client(embedded_target)
    for _ in range(3):
        with fleetlog.start_run(experiment, target=embedded_target) as run:
            run.log_series("loss", steps=list(range(100)), values=np.arange(100.0).tolist())
    (whole,) = client.aggregate_metric("loss", experiments=experiment, buckets=50)
    assert len(whole) == 50
    monkeypatch.setattr(limits, "AGGREGATE_NUMBERS", 30)
    (fewer,) = client.aggregate_metric("loss", experiments=experiment, buckets=50)
    assert len(fewer) == 10
    assert fewer.counts.tolist() == [3] * 10
    monkeypatch.setattr(limits, "AGGREGATE_RUNS", 2)
    with pytest.raises(fleetlog.ResourceExhausted) as caught:
        client.aggregate_metric("loss", experiments=experiment)
    assert caught.value.reason == "TOO_MANY_RUNS"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"key": ""}, "key: it is empty"),
        ({"key": "x", "group_by": ["metrics.x"]}, r"group_by\[0\]: a metric is measured"),
        ({"key": "x", "group_by": ["colour"]}, r"group_by\[0\]"),
        ({"key": "x", "group_by": ["params.a"] * 9}, "group_by: 9 is not 0 to 8"),
        ({"key": "x", "buckets": 1_001}, "buckets: "),
        ({"key": "x", "axis": "tiem"}, "did you mean 'time'"),
        ({"key": "x", "limit": 101}, "limit: "),
        ({"key": "x", "filter": "metrics.x >"}, "column"),
    ],
)
def test_what_is_asked_wrongly_is_told(embedded_target: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(fleetlog.InvalidArgument, match=said):
        fleetlog.Client(embedded_target).aggregate_metric(experiments="Default", **arguments)
