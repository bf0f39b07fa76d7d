"""SelectRuns through a real server, against the same by brute force over the same runs in Python."""

from __future__ import annotations

import math
import statistics as plain
import time
from collections.abc import Sequence
from pathlib import Path

import fleetlog
import pytest
from fleetlog._transport.connection import connection_to
from fleetlog._views.selection import Statistic
from fleetlog_proto.v1 import query_pb2, scope_pb2, selection_pb2
from fleetlog_query.language.parts import parts_of
from fleetlog_query.language.quantity import quantity_of
from fleetlog_query.selection.student import two_sided
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.profiles import examples
from tests.query.random_runs import FLEET, Fleet
from tests.query.reference.evaluate import Row, matches, number_of

STATES = {1.0: "RUNNING", 2.0: "FINISHED", 3.0: "FAILED", 4.0: "KILLED"}
OBJECTIVES = [
    "metrics.x", "params.y", "min(metrics.`a b`)", "metrics.x - 2 * metrics.y", "start_time", "end_time - start_time",
    "mean(metrics.y WHERE step < 200)", "count(metrics.x)", "metrics.missing", "metrics.x / metrics.y",
]  # fmt: skip
CONSTRAINTS = [
    "", "metrics.x > 0", "metrics.x > -2 AND params.y IS NOT NULL AND NOT state = 'FAILED'",
    "max(metrics.x WHERE step > 1) > 0 AND (tags.x = 'a' OR user = 'ada')", "name = 'nobody'",
]  # fmt: skip
GROUPS = ["params.x", "tags.y", "user", "state", "params.missing"]


def label(row: Row, key: str) -> str | None:
    group, _, name = key.rpartition(".")
    if group == "params":
        return row.params[name][1] if name in row.params else None
    if group == "tags":
        return row.tags.get(name)
    value = row.attributes[name]
    return STATES[value] if isinstance(value, float) else value


def standing(values: Sequence[float], statistic: str, maximize: bool) -> float:
    if statistic == "median":
        return plain.median(values)
    if statistic == "mean":
        return math.fsum(values) / len(values) if all(map(math.isfinite, values)) else sum(values) / len(values)
    return max(values) if maximize == (statistic == "best") else min(values)


@settings(max_examples=examples(150), suppress_health_check=list(HealthCheck))
@given(
    where=st.sampled_from(CONSTRAINTS), ways=st.lists(st.booleans(), min_size=3, max_size=3),
    names=st.lists(st.sampled_from(OBJECTIVES), min_size=1, max_size=3, unique=True),
    keys=st.lists(st.sampled_from(GROUPS), max_size=2, unique=True),
    statistic=st.sampled_from(["mean", "median", "best", "worst"]), min_count=st.integers(1, 4),
    limit=st.integers(1, 40), runs_per_group=st.integers(1, 5), confidence=st.sampled_from([0.5, 0.95, 0.999]),
)  # fmt: skip
def test_the_same_groups_as_by_hand(
    embedded_target: str, fleet: Fleet, where: str, names: list[str], ways: list[bool], keys: list[str],
    statistic: Statistic, min_count: int, limit: int, runs_per_group: int, confidence: float,
) -> None:  # fmt: skip
    min_count = min_count if keys else 1
    found = fleetlog.Client(embedded_target).select(
        where, experiments=[FLEET], group_by=keys, statistic=statistic, min_count=min_count, limit=limit,
        runs_per_group=runs_per_group, confidence=confidence,
        objectives=[fleetlog.Objective(name, way) for name, way in zip(names, ways, strict=False)],
    )  # fmt: skip
    left, verdicts = dict(fleet), []
    parts = parts_of(where, time.time() * 1000)
    for text, part in sorted(parts, key=lambda one: "WHERE" in one[0]):
        kept = {run_id: row for run_id, row in left.items() if matches(part, row)}
        verdicts.append((text, len(left), len(left) - len(kept)))
        left = kept
    numbers: dict[str, list[float]] = {run_id: [] for run_id in left}
    for name in names:
        value = quantity_of(name, "value")
        kept = {}
        for run_id, row in left.items():
            number = number_of(value, row)
            if number is not None and not math.isnan(number):
                numbers[run_id].append(number)
                kept[run_id] = row
        verdicts.append((f"{name} is a number", len(left), len(left) - len(kept)))
        left = kept
    groups: dict[object, list[str]] = {}
    for run_id in sorted(left):
        groups.setdefault(tuple(label(left[run_id], key) for key in keys) if keys else run_id, []).append(run_id)
    if min_count > 1:
        few = sum(len(runs) for runs in groups.values() if len(runs) < min_count)
        verdicts.append((f"groups of at least {min_count} runs", len(left), few))
    groups = {key: runs for key, runs in groups.items() if len(runs) >= min_count}
    assert [(one.constraint, one.asked, one.put_aside) for one in found.verdicts] == verdicts
    assert (found.candidates, found.groups_compared) == (len(fleet), len(groups))
    assert found.compared == sum(map(len, groups.values()))
    assert len(found) == min(limit, len(groups))

    def start(run_id: str) -> float:
        value = fleet[run_id].attributes["start_time"]
        assert isinstance(value, float)
        return value

    def cost(values: Sequence[float]) -> list[float]:
        return [-value if way else value for value, way in zip(values, ways, strict=False)]

    seen = []
    for group in found:
        key = tuple(group.values.values()) if keys else group.run.id
        runs = groups[key]
        seen.append(key)
        best = sorted(runs, key=lambda run_id: (cost(numbers[run_id]), start(run_id), run_id))
        assert [run.id for run in group.runs] == best[:runs_per_group]
        assert [list(one.values()) for one in group.run_values] == [numbers[run_id] for run_id in best[:runs_per_group]]
        assert group.count == len(runs)
        for place, (name, way) in enumerate(zip(names, ways, strict=False)):
            values = [numbers[run_id][place] for run_id in runs]
            stats = group.objectives[name]
            scale = max((abs(value) for value in values if math.isfinite(value)), default=1.0)
            assert stats.value == pytest.approx(standing(values, statistic, way), rel=1e-12, abs=1e-12, nan_ok=True)
            assert (stats.min, stats.max) == (min(values), max(values))
            if len(values) == 1:
                assert all(map(math.isnan, (stats.std, stats.confidence_low, stats.confidence_high)))
            elif all(map(math.isfinite, values)) and scale < 1e100:
                std = plain.stdev(values)
                half = two_sided(confidence, len(values) - 1) * std / math.sqrt(len(values))
                assert stats.std == pytest.approx(std, rel=1e-9, abs=1e-12 * scale)
                assert stats.confidence_high - stats.mean == pytest.approx(half, rel=1e-6, abs=1e-9 * scale)
                assert stats.mean - stats.confidence_low == pytest.approx(half, rel=1e-6, abs=1e-9 * scale)
    assert len(set(seen)) == len(seen)
    # In order, as far as rounding lets two means be told apart.
    first = [cost([stats.value for stats in group.objectives.values()])[0] for group in found]
    known = [value for value in first if not math.isnan(value)]
    assert known == sorted(known)
    rest = [cost([standing([numbers[run_id][place] for run_id in runs], statistic, way)
                  for place, way in zip(range(len(names)), ways, strict=False)])[0]
            for key, runs in groups.items() if key not in seen]  # fmt: skip
    assert (
        all(value >= known[-1] - 1e-9 * max(1.0, abs(value)) for value in rest if known and math.isfinite(value))
        or len(found) < limit
    )


def test_ties_fall_to_more_runs_then_the_earlier_start_then_the_lower_id(embedded_target: str, experiment: str) -> None:
    ids: dict[str, str] = {}
    for name, group, start in (
        ("a", "few", 1_000), ("b", "many", 3_000), ("c", "many", 4_000), ("d", "late", 2_000), ("e", "early", 500)
    ):  # fmt: skip
        with fleetlog.start_run(
            experiment, name, params={"group": group}, start_time=1_700_000_000_000 + start, target=embedded_target
        ) as run:
            run.log({"loss": 1.0}, step=1)
        ids[name] = run.id
    client = fleetlog.Client(embedded_target)
    found = client.select(experiments=[experiment], minimize="metrics.loss", group_by="params.group")
    assert [group.values["params.group"] for group in found] == ["many", "early", "few", "late"]
    reasons = [group.reason for group in found]
    assert reasons[0] == "the best of 4 groups by lowest mean of metrics.loss (1)"
    assert "level with number 1 and behind it by fewer runs" in reasons[1]
    assert "level with number 2 and behind it by a later start" in reasons[2]
    alone = client.select(experiments=[experiment], maximize="metrics.loss")
    assert [group.run.name for group in alone] == ["e", "a", "d", "b", "c"]


@pytest.fixture(scope="module")
def cars(embedded_target: str) -> str:
    """Runs by loss and time: a, b and c are not beaten by any; d is by b; e by b and d; one has no time."""
    for name, loss, seconds in (
        ("a", 1.0, 9.0), ("b", 2.0, 5.0), ("c", 4.0, 1.0), ("d", 3.0, 6.0), ("e", 5.0, 7.0), ("f", 0.5, None)
    ):  # fmt: skip
        with fleetlog.start_run("cars", name, target=embedded_target) as run:
            run.log({"loss": loss} | ({"seconds": seconds} if seconds else {}), step=1)
    return "cars"


def test_pareto_fronts(embedded_target: str, cars: str) -> None:
    client = fleetlog.Client(embedded_target)
    found = client.select(experiments=[cars], minimize=["metrics.loss", "metrics.seconds"], mode="pareto")
    assert [(group.run.name, group.front) for group in found] == [("a", 1), ("b", 1), ("c", 1), ("d", 2), ("e", 3)]
    assert found[3].reason.startswith(
        "number 4 of 5 runs by front 2, beaten by front 1, in lowest metrics.loss (3) and"
    )


def test_weights(embedded_target: str, cars: str) -> None:
    client = fleetlog.Client(embedded_target)
    even = client.select(experiments=[cars], minimize=["metrics.loss", "metrics.seconds"], mode="weighted")
    assert even.best is not None
    assert (even.best.run.name, even.best.score) == ("b", 0.375)
    assert "number 2 of 5 runs, level with number 1 and behind it by a later start: score 0.375" in even[1].reason
    fast = client.select(
        experiments=[cars], objectives=["metrics.loss ASC 10", "metrics.seconds ASC"], mode="weighted", limit=1
    )
    assert [group.run.name for group in fast] == ["a"]


def test_only_runs_with_the_artifact(embedded_target: str, experiment: str, tmp_path: Path) -> None:
    for name, path in (("without", ""), ("below", "model/weights.bin"), ("beside", "models/x"), ("file", "model")):
        with fleetlog.start_run(experiment, name, target=embedded_target) as run:
            run.log({"loss": float(len(name))}, step=1)
            if path:
                file = tmp_path / name
                file.write_bytes(b"x")
                run.log_artifact(file, path)
    client = fleetlog.Client(embedded_target)
    found = client.select(experiments=[experiment], minimize="metrics.loss", artifact="model")
    assert [group.run.name for group in found] == ["file", "below"]
    assert found.verdicts[0] == fleetlog.Verdict("has the artifact model", 4, 2)


def test_why_tells_everything(embedded_target: str, cars: str) -> None:
    found = fleetlog.Client(embedded_target).select(
        "metrics.loss < 4.5 AND name != 'a'", experiments=[cars], minimize="metrics.seconds", limit=2
    )
    assert found.why().splitlines() == [
        "6 runs",
        "  metrics.loss < 4.5: 1 of 6 put aside",
        "  name != 'a': 1 of 5 put aside",
        "  metrics.seconds is a number: 1 of 4 put aside",
        "3 runs compared",
        "  the best of 3 runs by lowest metrics.seconds (1)",
        "  number 2 of 3 runs by lowest metrics.seconds (5); number 1 has 1",
    ]
    assert repr(found).splitlines()[0] == "<fleetlog.Selection: 2 of 3, from 6 runs>"
    frame = found.to_pandas()
    assert frame["metrics.seconds"].tolist() == [1.0, 5.0]
    assert frame["name"].tolist() == ["c", "b"]


def test_the_runs_hold_what_was_asked_about_or_the_read_mask(embedded_target: str, experiment: str) -> None:
    params: dict[str, object] = {"lr": 1, "other": 2}
    with fleetlog.start_run(experiment, params=params, tags={"a": "b"}, target=embedded_target) as run:
        run.log({"loss": 1.0, "more": 2.0}, step=1)
    client = fleetlog.Client(embedded_target)
    (group,) = client.select(experiments=[experiment], minimize="min(metrics.loss)", group_by="params.lr")
    assert (group.run.params, group.run.metrics, group.run.tags) == ({"lr": 1}, {"loss": 1.0}, {})
    (group,) = client.select(experiments=[experiment], minimize="metrics.loss", read_mask=["tags"])
    assert (group.run.params, group.run.metrics, group.run.tags) == ({}, {}, {"a": "b"})


def test_nothing_to_choose_from(embedded_target: str) -> None:
    client = fleetlog.Client(embedded_target)
    client.create_experiment("selection of none", exist_ok=True)
    found = client.select(experiments=["selection of none"], minimize="metrics.x")
    assert (len(found), found.best, found.candidates) == (0, None, 0)
    assert found.verdicts == [fleetlog.Verdict("metrics.x is a number", 0, 0)]
    assert found.to_pandas().empty


def test_the_answer_has_a_position_that_gives_it_again(embedded_target: str, cars: str) -> None:
    connection = connection_to(embedded_target)
    request = selection_pb2.SelectRunsRequest(
        scope=scope_pb2.RunScope(experiment_names=[cars]),
        objectives=[selection_pb2.Objective(value="metrics.loss", direction=selection_pb2.DIRECTION_MINIMIZE)],
    )
    response = connection.call(connection.query.SelectRuns, request)
    assert response.position.offsets
    connection.call(connection.query.WaitForPosition, query_pb2.WaitForPositionRequest(position=response.position))
    request.scope.at_least.CopyFrom(response.position)
    again = connection.call(connection.query.SelectRuns, request)
    assert again.groups == response.groups


WRONG: list[tuple[dict[str, object], str, str]] = [
    ({}, "objectives", "0 objectives"),
    ({"minimize": "metrics."}, "objectives[0].value", "column"),
    ({"minimize": "tags.x"}, "objectives[0].value", "tags.x is a text"),
    ({"minimize": ["metrics.x"] * 9}, "objectives", "9 objectives, 1 to 8"),
    ({"minimize": "metrics.x", "group_by": "metrics.y"}, "group_by[0]", "a metric is measured, not set"),
    ({"minimize": "metrics.x", "group_by": "params.x + 1"}, "group_by[0]", "expected a name"),
    ({"minimize": "metrics.x", "min_count": 2}, "min_count", "say in group_by"),
    ({"minimize": "metrics.x", "limit": 1_001}, "limit", "at most 1,000"),
    ({"minimize": "metrics.x", "limit": 101, "runs_per_group": 10}, "runs_per_group", "1,010 runs to name"),
    ({"minimize": "metrics.x", "confidence": 1.0}, "confidence", "below 1"),
    ({"minimize": "metrics.x", "artifact": "../x"}, "", "path"),
    ({"minimize": "metrics.x", "filter": "metrics.x <"}, "filter", "column 12"),
    ({"objectives": [fleetlog.Objective("metrics.x", weight=-1)]}, "objectives[0].weight", "-1 is not"),
]


@pytest.mark.parametrize(("asked", "field", "what"), WRONG)
def test_what_is_wrong_is_named(embedded_target: str, asked: dict[str, object], field: str, what: str) -> None:
    with pytest.raises(fleetlog.InvalidArgument) as caught:
        fleetlog.Client(embedded_target).select(**asked)  # type: ignore[arg-type]
    assert what in str(caught.value)
    if field:
        assert caught.value.violations[0].field == field


def test_a_direction_is_never_guessed(embedded_target: str) -> None:
    connection = connection_to(embedded_target)
    request = selection_pb2.SelectRunsRequest(objectives=[selection_pb2.Objective(value="metrics.x")])
    with pytest.raises(fleetlog.InvalidArgument, match="say whether small or large is good"):
        connection.call(connection.query.SelectRuns, request)
