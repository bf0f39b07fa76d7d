"""Forks and rewinds: what a user sees of branches."""

from __future__ import annotations

import copy
import math
from typing import Any

import fleetlog
import pytest
from fleetlog import Position
from fleetlog._transport.connection import connection_to
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.profiles import examples
from tests.servers import unique


def points(client: fleetlog.Client, run: str, key: str = "loss", **which: Any) -> list[tuple[int, float]]:
    series = client.read_metric(run, key, **which)
    return list(zip(series.steps.tolist(), series.values.tolist(), strict=True))


def logged(target: str, namespace: str, steps: range, **more: object) -> str:
    """A finished run whose loss is minus the step."""
    with fleetlog.start_run("train", target=target, namespace=namespace, **more) as run:  # type: ignore[arg-type]
        for step in steps:
            run.log({"loss": float(-step)}, step=step)
    return run.id


def test_a_fork_goes_on_from_a_step_of_its_source(embedded_target: str) -> None:
    namespace = unique("branches")
    client = fleetlog.Client(embedded_target, namespace)
    source = logged(embedded_target, namespace, range(300), params={"lr": 0.1}, tags={"team": "a"}, name="source")
    with fleetlog.start_run(
        fork_from=(source, 199), target=embedded_target, namespace=namespace, params={"seed": 1}, name="fork"
    ) as run:
        run.log({"loss": 1000.0})
        run.log({"loss": 1001.0, "acc": 0.5})
    fork = client.get_run(run)
    assert (fork.forked_from, fork.branch, fork.root_id) == ((source, 199), 0, run.id)
    assert (fork.name, fork.params, fork.tags["team"]) == ("fork", {"lr": 0.1, "seed": 1}, "a")
    expected = [(step, float(-step)) for step in range(200)] + [(200, 1000.0), (201, 1001.0)]
    assert points(client, run.id) == expected
    assert points(client, run.id, last=3) == expected[-3:]
    assert points(client, run.id, min_step=198) == expected[198:]
    assert points(client, source) == [(step, float(-step)) for step in range(300)]
    summary = fork.summary("loss")
    assert (summary.count, summary.first, summary.last, summary.last_step) == (202, 0.0, 1001.0, 201)
    assert (summary.min, summary.min_step, summary.max, summary.max_step) == (-199.0, 199, 1001.0, 201)
    assert math.isclose(summary.mean, (2001.0 - 199 * 100) / 202)
    buckets = client.read_buckets(run.id, "loss", 3)
    assert (sum(buckets.counts.tolist()), min(buckets.mins.tolist()), max(buckets.maxs.tolist())) == (
        202,
        -199.0,
        1001.0,
    )
    for filter_, found in {
        "max(metrics.loss) > 1000": {run.id},
        "count(metrics.loss) = 202": {run.id},
        "at(metrics.loss, 100) = -100": {run.id, source},
        "at(metrics.loss, 250) = -250": {source},
        "min(metrics.loss WHERE step BETWEEN 128 AND 255) = -199": {run.id},
        "min(metrics.loss WHERE step BETWEEN 128 AND 260) = -199": {run.id},
        "last(metrics.loss WHERE step <= 199) = -199": {run.id, source},
    }.items():
        assert {one.id for one in client.search_runs(filter_)} == found, filter_


def test_what_comes_to_the_source_later_is_the_sources_alone(embedded_target: str) -> None:
    namespace = unique("branches")
    client = fleetlog.Client(embedded_target, namespace)
    with fleetlog.start_run("train", target=embedded_target, namespace=namespace) as source:
        source.log({"loss": 1.0}, step=10)
        with fleetlog.start_run(fork_from=(source, 10), target=embedded_target, namespace=namespace) as fork:
            source.log({"loss": 2.0}, step=5)
            source.flush(level="durable")
            with fleetlog.start_run(fork_from=(source, 5), target=embedded_target, namespace=namespace) as other:
                pass
    assert points(client, fork.id) == [(10, 1.0)]
    assert points(client, other.id) == [(5, 2.0)]
    assert points(client, source.id) == [(5, 2.0), (10, 1.0)]


def test_a_fork_of_a_fork_has_points_of_both(embedded_target: str) -> None:
    namespace = unique("branches")
    client = fleetlog.Client(embedded_target, namespace)
    run = logged(embedded_target, namespace, range(10))
    for depth in range(1, 4):
        with fleetlog.start_run(fork_from=(run, 9 - 2 * depth), target=embedded_target, namespace=namespace) as fork:
            fork.log({"loss": float(depth)})
        run = fork.id
    assert points(client, run) == [(0, 0.0), (1, -1.0), (2, -2.0), (3, -3.0), (4, 3.0)]
    assert client.get_run(run).summary("loss").count == 5


def test_a_rewind_takes_the_place_of_what_it_leaves(embedded_target: str) -> None:
    namespace = unique("branches")
    client = fleetlog.Client(embedded_target, namespace)
    first = logged(embedded_target, namespace, range(100), name="gpt", params={"lr": 0.1})
    with fleetlog.start_run(resume=first, rewind_to_step=49, target=embedded_target, namespace=namespace) as second:
        second.log({"loss": 7.0})
    with fleetlog.start_run(run_id=first, rewind_to_step=9, target=embedded_target, namespace=namespace) as third:
        third.log({"loss": 8.0})
    assert len({first, second.id, third.id}) == 3
    branches = client.branches(second)
    assert [one.id for one in branches] == [first, second.id, third.id]
    assert [one.branch for one in branches] == [0, 1, 2]
    assert [one.superseded_by for one in branches] == [second.id, third.id, None]
    assert {one.root_id for one in branches} == {first}
    assert branches[2].forked_from == (second.id, 9)
    assert [(one.id, one.name, one.params) for one in client.search_runs()] == [(third.id, "gpt", {"lr": 0.1})]
    assert {one.id for one in client.search_runs(deleted="superseded")} == {first, second.id}
    assert client.search_runs("min(metrics.loss) < -90", deleted="superseded")[0].id == first
    assert len(client.search_runs(deleted="all")) == 1
    assert points(client, first) == [(step, float(-step)) for step in range(100)]
    assert points(client, second.id) == [(step, float(-step)) for step in range(50)] + [(50, 7.0)]
    assert points(client, third.id) == [(step, float(-step)) for step in range(10)] + [(10, 8.0)]
    assert points(client, third.id, branch=1) == points(client, second.id)
    assert client.get_run(first, branch="current").id == third.id
    assert [one.id for one in client.get_runs([second, first, third], branch=0)] == [first] * 3
    assert client.compare([first, second], branch="current").metrics["loss"] == [8.0, 8.0]
    curves = [*client.read_curves([first], ["loss"], 1, branch=1), client.read_buckets(third, "loss", 1, branch=1)]
    assert [(one.run_id, one.counts.tolist()) for one in curves] == [(second.id, [51])] * 2
    (sampled,) = client.read_series([second], ["loss"], branch="current", sample=2)
    assert (sampled.run_id, sampled.values.tolist()[-1]) == (third.id, 8.0)
    assert branches[0].metric("loss", branch=2, last=1).values.tolist() == [8.0]
    assert branches[2].buckets("loss", 1, branch=0).counts.tolist() == [100]
    assert client.list_artifacts(first, branch="current") == []
    with pytest.raises(fleetlog.NotFound, match="0 to 2"):
        client.read_series([first], ["loss"], branch=7)
    with pytest.raises(fleetlog.InvalidArgument, match="branch"):
        client.read_curves([first], ["loss"], branch="last")  # type: ignore[arg-type]
    with pytest.raises(fleetlog.NotFound, match="0 to 2"):
        client.get_run(first, branch=3)
    with fleetlog.start_run(run_id=first, resume=True, target=embedded_target, namespace=namespace) as again:
        again.log({"loss": 9.0})
    assert again.id == third.id
    assert points(client, third.id)[-1] == (11, 9.0)


def test_a_writer_of_the_old_branch_goes_on_with_it(embedded_target: str) -> None:
    namespace = unique("branches")
    client = fleetlog.Client(embedded_target, namespace)
    with fleetlog.start_run("train", target=embedded_target, namespace=namespace) as old:
        old.log({"loss": 1.0}, step=0)
        with fleetlog.start_run(run_id=old.id, rewind_to_step=0, target=embedded_target, namespace=namespace) as new:
            old.log({"loss": 2.0}, step=1)
            new.log({"loss": 3.0})
    assert points(client, old.id) == [(0, 1.0), (1, 2.0)]
    assert points(client, new.id) == [(0, 1.0), (1, 3.0)]


KEYS, STEPS = ("a", "b"), (-(2**63), -200, -1, 0, 1, 5, 127, 128, 129, 300)
VALUES = (0.0, -1.5, 2.0, 64.0, math.nan, math.inf)
Log = dict[str, list[tuple[int, float]]]


class Story:
    """What a user does to runs of one namespace, and what they should see: points by run and key."""

    def __init__(self, target: str) -> None:
        self.target, self.namespace = target, unique("branches")
        self.client = fleetlog.Client(target, self.namespace)
        self.logs: dict[str, Log] = {}
        self.superseded: set[str] = set()

    def start(self, **asked: object) -> fleetlog.Run:
        return fleetlog.start_run(target=self.target, namespace=self.namespace, **asked)  # type: ignore[arg-type]

    def log(self, run: fleetlog.Run, points: list[tuple[str, int, float]]) -> None:
        known = self.logs.setdefault(run.id, {})
        for key, step, value in points:
            run.log({key: value}, step=step)
            known.setdefault(key, []).append((step, value))

    def branch(self, source: str, step: int, *, rewinds: bool) -> fleetlog.Run | None:
        steps = [point[0] for points in self.logs[source].values() for point in points]
        if not steps or step > max(steps) or (rewinds and source in self.superseded):
            return None
        run = self.start(**({"run_id": source, "rewind_to_step": step} if rewinds else {"fork_from": (source, step)}))
        kept = {key: [one for one in points if one[0] <= step] for key, points in self.logs[source].items()}
        self.logs[run.id] = {key: points for key, points in kept.items() if points}
        if rewinds:
            self.superseded.add(source)
        return run

    def check(self, position: Position | None = None, logs: dict[str, Log] | None = None) -> None:
        """Compare everything that is served with what it should be."""
        for run_id, log in (self.logs if logs is None else logs).items():
            run = self.client.get_run(run_id, as_of=position)
            assert run.metrics.keys() == log.keys()
            for key, points in log.items():
                numbers = [value for _, value in points if not math.isnan(value)]
                summary = run.summary(key)
                assert (summary.count, summary.nan_count) == (len(points), len(points) - len(numbers))
                assert (summary.first_step, summary.last_step) == (min(points)[0], max(points)[0])
                assert same(summary.min, min(numbers, default=math.nan))
                assert same(summary.max, max(numbers, default=math.nan))
                if position is None:
                    self._check_points(run_id, key, points)
        if position is None:
            self._check_searches()

    def _check_points(self, run_id: str, key: str, points: list[tuple[int, float]]) -> None:
        found = self.client.read_metric(run_id, key)
        served = zip(found.steps.tolist(), found.values.tolist(), strict=True)
        assert sorted(map(repr, served)) == sorted(map(repr, points))
        assert found.steps.tolist() == sorted(step for step, _ in points)
        buckets = self.client.read_buckets(run_id, key, 2, min_step=-200, max_step=300)
        assert sum(buckets.counts.tolist()) == sum(-200 <= step <= 300 for step, _ in points)
        wide = self.client.read_buckets(run_id, key, 4, min_step=-(2**20), max_step=2**20)
        assert sum(wide.counts.tolist()) == sum(step >= -200 for step, _ in points)

    def _check_searches(self) -> None:
        current = self.logs.keys() - self.superseded
        assert {run.id for run in self.client.search_runs()} == current
        assert {run.id for run in self.client.search_runs(deleted="superseded")} == self.superseded
        for low, high in ((-200, 4), (0, 127), (1, 300), (128, 2**62)):
            filter_ = f"count(metrics.a WHERE step BETWEEN {low} AND {high}) >= 2"
            expected = {run for run in current if sum(low <= s <= high for s, _ in self.logs[run].get("a", ())) >= 2}
            assert {run.id for run in self.client.search_runs(filter_)} == expected, filter_


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


POINTS = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(STEPS), st.sampled_from(VALUES)), max_size=6)
DEEDS = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(STEPS), st.booleans(), POINTS, POINTS), min_size=1, max_size=4
)


@pytest.mark.timeout(900)
@settings(max_examples=examples(8), deadline=None, suppress_health_check=list(HealthCheck))
@given(first=POINTS, deeds=DEEDS)
def test_branches_of_branches_show_what_they_should(
    embedded_target: str, first: list[tuple[str, int, float]], deeds: list[Any]
) -> None:
    story = Story(embedded_target)
    with story.start() as run:
        story.log(run, first)
    story.logs.setdefault(run.id, {})
    for which, step, rewinds, more, late in deeds:
        source = list(story.logs)[which % len(story.logs)]
        branch = story.branch(source, step, rewinds=rewinds)
        if branch is None:
            continue
        with branch:
            story.log(branch, more)
        if source not in story.superseded:
            with story.start(run_id=source, resume=True) as again:
                story.log(again, late)
    then, logs = Position.of(connection_to(embedded_target).position()), copy.deepcopy(story.logs)
    for run_id in list(story.logs):
        if run_id not in story.superseded:
            with story.start(run_id=run_id, resume=True) as again:
                story.log(again, [("a", 0, -7.0), ("c", 1, 1.0)])
    story.check()
    story.check(then, logs)


def test_what_can_not_be_branched_is_refused_by_name(embedded_target: str) -> None:
    namespace = unique("branches")
    run = logged(embedded_target, namespace, range(3))
    empty = logged(embedded_target, namespace, range(0))

    def start(**asked: object) -> None:
        fleetlog.start_run(target=embedded_target, namespace=namespace, **asked)  # type: ignore[arg-type]

    for asked, reason, words in (
        ({"fork_from": (run, 3)}, "STEP_NOT_REACHED", "its last step is 2"),
        ({"run_id": run, "rewind_to_step": 9}, "STEP_NOT_REACHED", "its last step is 2"),
        ({"fork_from": (empty, 0)}, "STEP_NOT_REACHED", "no points"),
        ({"fork_from": ("0" * 32, 0)}, "RUN_NOT_FOUND", "there is no run"),
        ({"fork_from": run}, "ARGUMENT_INVALID", "a run and a step"),
        ({"fork_from": (run, 0), "run_id": run}, "ARGUMENT_INVALID", "leave run_id"),
        ({"rewind_to_step": 0}, "ARGUMENT_INVALID", "give its run_id"),
        ({"run_id": run, "rewind_to_step": 0.5}, "STEP_INVALID", "rewind_to_step"),
    ):
        with pytest.raises(fleetlog.FleetlogError) as refused:
            start(**asked)
        assert refused.value.reason == reason, asked
        assert words in str(refused.value), asked
