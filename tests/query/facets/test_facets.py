"""Keys and values with counts, against counts of the same runs in Python."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any, cast

import fleetlog
import grpc
import pytest
from fleetlog._calls.base import Deleted
from fleetlog._transport.connection import connection_to
from fleetlog._views.facets import KeyInfo
from fleetlog_core import limits
from fleetlog_core.ids import new_run_id
from fleetlog_proto.v1 import facets_pb2, scope_pb2
from fleetlog_query.facets import counts, keys
from fleetlog_query.language.plan import plan_of

from tests.query.random_runs import log_fleet
from tests.query.reference.evaluate import Row, matches

EXPERIMENT = "facets"
START = 1_700_000_000_000


@pytest.fixture(scope="module")
def fleet(embedded_target: str) -> dict[str, Row]:
    return log_fleet(embedded_target, EXPERIMENT)


@pytest.fixture(params=[(4_096, 256, 64), (3, 256, 64), (3, 4, 1), (4_096, 256, 0)])
def segment_runs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Also: how many runs are counted apart, and how many of a segment with it."""
    size, apart, together = map(int, request.param)
    monkeypatch.setattr(keys, "SEGMENT_RUNS", size)
    monkeypatch.setattr(counts, "APART", apart)
    monkeypatch.setattr(counts, "TOGETHER", together)
    return size * 1_000 + apart + together


def counted(rows: list[Row]) -> list[KeyInfo]:
    """Keys, counted one by one."""
    numbers: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        for key, (number, _, _) in row.params.items():
            numbers.setdefault(("params", key), []).append(number)
        for key, text in row.tags.items():
            numbers.setdefault(("tags", key), []).append({"3": 3.0, "1e-4": 1e-4}.get(text, math.nan))
        for key, value in row.metrics.items():
            numbers.setdefault(("metrics", key), []).append(value)
    order = ["params", "tags", "metrics"]
    found = []
    for kind, key in sorted(numbers, key=lambda one: (order.index(one[0]), one[1])):
        known = [number for number in numbers[(kind, key)] if not math.isnan(number)]
        low, high = min(known, default=None), max(known, default=None)
        found.append(KeyInfo(cast(fleetlog.Kind, kind), key, len(numbers[(kind, key)]), len(known), low, high))
    return found


@pytest.mark.parametrize(
    "text", ["", "metrics.x > 0", "params.y IS NULL", "tags.x = 'a' OR state = 'FAILED'", "name = 'nobody'"]
)
def test_keys_are_those_of_the_runs_that_match(embedded_target: str, fleet: dict[str, Row], text: str) -> None:
    plan = plan_of(text)
    found = fleetlog.Client(embedded_target).keys(text, experiments=[EXPERIMENT])
    assert found == counted([row for row in fleet.values() if matches(plan, row)])


@pytest.mark.parametrize("text", ["", "metrics.x > 0"])
@pytest.mark.parametrize("key", ["params.x", "params.`a b`", "tags.`tick``ed`", "tags.é", "user", "state", "name"])
def test_values_are_those_of_the_runs_that_match(
    embedded_target: str, fleet: dict[str, Row], key: str, text: str
) -> None:
    plan, name = plan_of(text), key.partition(".")[2].strip("`").replace("``", "`")
    rows = [row for row in fleet.values() if matches(plan, row)]
    if key.startswith("params."):
        texts = [row.params[name][1] for row in rows if name in row.params]
    elif key.startswith("tags."):
        texts = [row.tags[name] for row in rows if name in row.tags]
    elif key == "state":
        states = {2.0: "FINISHED", 3.0: "FAILED", 4.0: "KILLED", 1.0: "RUNNING"}
        texts = [states[float(row.attributes[key] or 0)] for row in rows]
    else:
        texts = [str(row.attributes[key]) for row in rows]
    expected = sorted(Counter(texts).items(), key=lambda one: (-one[1], one[0].encode()))
    client = fleetlog.Client(embedded_target)
    found = client.values(key, text, experiments=[EXPERIMENT], limit=None)
    assert [(one.value, one.runs) for one in found] == expected
    few = client.values(key, text, experiments=[EXPERIMENT], limit=3)
    assert few == found[:3]


def test_pages_together_are_the_whole(embedded_target: str, fleet: dict[str, Row]) -> None:
    connection = connection_to(embedded_target)
    scope = scope_pb2.RunScope(experiment_names=[EXPERIMENT])
    keys_request = facets_pb2.ListKeysRequest(scope=scope, page_size=2)
    names: list[tuple[int, str]] = []
    while True:
        page = connection.call(connection.query.ListKeys, keys_request)
        names += [(one.kind, one.key) for one in page.keys]
        keys_request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    kinds = {"params": 1, "tags": 2, "metrics": 3}
    assert names == [(kinds[one.kind], one.key) for one in counted(list(fleet.values()))]
    request = facets_pb2.ListValuesRequest(scope=scope, kind=facets_pb2.KEY_KIND_TAG, key="x", page_size=2)
    values: list[str] = []
    while True:
        response = connection.call(connection.query.ListValues, request)
        values += [one.value for one in response.values]
        request.page_token = response.next_page_token
        if not response.next_page_token:
            break
    client = fleetlog.Client(embedded_target)
    assert values == [one.value for one in client.values("tags.x", experiments=[EXPERIMENT], limit=None)]
    keys_request.page_token = connection.call(connection.query.ListValues, request).next_page_token
    with pytest.raises(fleetlog.InvalidArgument) as caught:
        connection.call(connection.query.ListKeys, keys_request)
    assert caught.value.reason == "PAGE_TOKEN_INVALID"


def test_counts_follow_every_change(embedded_target: str, experiment: str, segment_runs: int) -> None:
    """Whatever changes in whichever segment: new runs and keys, values, tags that go, runs that are hidden."""
    client, rng = fleetlog.Client(embedded_target), random.Random(segment_runs)
    client.create_experiment(experiment)
    assert client.keys(experiments=[experiment]) == []
    runs: dict[str, Row] = {}
    hidden: set[str] = set()
    for turn in range(14):
        for _ in range(3):
            start = START + rng.randrange(60_000)
            run_id = new_run_id(start, rng.randbytes(10)).hex()
            params: dict[str, object] = {"lr": rng.randrange(5)}
            with fleetlog.start_run(
                experiment, run_id=run_id, start_time=start, params=params, tags={"t": "1"}, target=embedded_target
            ) as run:
                run.log({"loss": float(turn)}, step=1)
            lr = params["lr"]
            assert isinstance(lr, int)
            metrics, tags = {"loss": float(turn)}, {"t": "1"}
            runs[run_id] = Row({}, {"lr": (float(lr), str(lr), 3)}, tags, metrics)
        one = rng.choice(list(runs))
        match turn % 4:
            case 0:
                again = fleetlog.start_run(experiment, run_id=one, resume=True, target=embedded_target)
                again.log({"loss": -float(turn), f"new{turn}": math.nan}, step=turn + 2)
                again.finish()
                runs[one].metrics.update({"loss": -float(turn), f"new{turn}": math.nan})  # type: ignore[attr-defined]
            case 1:
                client.update_run(one, deleted_tags=["t"], tags={"word": "w"})
                runs[one].tags.pop("t", None)  # type: ignore[attr-defined]
                runs[one].tags["word"] = "w"  # type: ignore[index]
            case 2:
                client.delete_run(one)
                hidden.add(one)
            case _:
                for back in hidden:
                    client.restore_run(back)
                hidden.clear()
        views: tuple[tuple[Deleted, list[Row]], ...] = (
            ("active", [row for run_id, row in runs.items() if run_id not in hidden]),
            ("deleted", [runs[run_id] for run_id in hidden]),
            ("all", list(runs.values())),
        )
        for deleted, shown in views:
            found = client.keys(experiments=[experiment], deleted=deleted)
            expected = counted_tags_as_numbers(shown)
            assert found == expected, (turn, deleted)
            values = client.values("params.lr", experiments=[experiment], deleted=deleted)
            assert {one.value: one.runs for one in values} == Counter(row.params["lr"][1] for row in shown)


def test_without_experiments_it_is_all_that_are_not_deleted(embedded_target: str, segment_runs: int) -> None:
    client = fleetlog.Client(embedded_target, f"facets-{segment_runs}")
    expected: dict[str, int] = {}
    for number in range(6):
        name = f"e{number}"
        for key in ("a", f"b{number % 2}"):
            with fleetlog.start_run(name, params={key: 1}, target=embedded_target, namespace=client.namespace):
                expected[key] = expected.get(key, 0) + 1
        assert {one.key: one.runs for one in client.keys(kind="params")} == expected
    experiment = client.get_experiment("e0").id
    client.delete_experiment(experiment)
    assert {one.key: one.runs for one in client.keys(kind="params")} == {"a": 5, "b0": 2, "b1": 3}
    assert {one.key: one.runs for one in client.keys(kind="params", experiments=["e0"])} == {"a": 1, "b0": 1}
    client.restore_experiment(experiment)
    assert {one.key: one.runs for one in client.keys(kind="params")} == expected


def counted_tags_as_numbers(rows: list[Row]) -> list[KeyInfo]:
    """As counted, where the tag t is the number 1."""
    found = []
    for one in counted(rows):
        found.append(
            KeyInfo("tags", "t", one.runs, one.runs, 1.0, 1.0) if (one.kind, one.key) == ("tags", "t") else one
        )
    return found


def test_a_part_of_the_keys(embedded_target: str, fleet: dict[str, Row]) -> None:
    client = fleetlog.Client(embedded_target)
    found = client.keys(experiments=[EXPERIMENT], kind="metrics", contains="TICK")
    assert [one.name for one in found] == ["metrics.`tick``ed`"]
    assert client.keys(experiments=[EXPERIMENT], contains="nothing") == []
    names = {one.value for one in client.values("name", experiments=[EXPERIMENT], contains="A")}
    assert "straße" in names
    assert "100%" not in names


def test_what_is_asked_wrongly_is_told(embedded_target: str, fleet: dict[str, Row]) -> None:
    client = fleetlog.Client(embedded_target)
    with pytest.raises(fleetlog.InvalidArgument, match="values are listed of a param, a tag or an attribute"):
        client.values("metrics.x", experiments=[EXPERIMENT])
    with pytest.raises(fleetlog.InvalidArgument, match="'stat' is no attribute of a run: did you mean state"):
        client.values("stat", experiments=[EXPERIMENT])
    with pytest.raises(fleetlog.InvalidArgument, match="none of params, tags, metrics"):
        client.keys(kind=cast(Any, "artifacts"))
    with pytest.raises(fleetlog.InvalidArgument, match="column"):
        client.keys("metrics.x >", experiments=[EXPERIMENT])
    with pytest.raises(fleetlog.NotFound):
        client.keys(experiments=["nowhere at all"])


def test_a_text_to_look_for_is_as_short_as_keys_are(embedded_target: str) -> None:
    scope = scope_pb2.RunScope(experiment_names=["Default"])
    stub = connection_to(embedded_target).query
    longest = "a" * limits.FACET_TEXT_CHARACTERS
    for list_them in (
        lambda text: stub.ListKeys(facets_pb2.ListKeysRequest(scope=scope, contains=text)),
        lambda text: stub.ListValues(
            facets_pb2.ListValuesRequest(scope=scope, kind=facets_pb2.KEY_KIND_TAG, key="team", contains=text)
        ),
    ):  # fmt: skip
        list_them(longest)
        with pytest.raises(grpc.RpcError, match="contains: 251 characters, at most 250"):
            list_them(longest + "a")
