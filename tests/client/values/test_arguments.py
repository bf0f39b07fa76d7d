"""Arguments of reads: what is understood, and what is named instead of being taken for everything."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import fleetlog
import numpy as np
import pandas as pd
import pytest
from fleetlog._values import arguments
from fleetlog._values.as_of import as_of_message
from fleetlog._views.series import metric_request
from fleetlog_core.ids import new_run_id
from hypothesis import given
from hypothesis import strategies as st

from tests.zones import local_zone

ID = new_run_id(1_700_000_000_000).hex()
EXPERIMENT = fleetlog.Experiment(7, "seven", {}, datetime.now(UTC), False)


class Held:
    """A run, or what shows one."""

    id = ID


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, ([], [])),
        ((), ([], [])),
        ("name", ([], ["name"])),
        (7, ([7], [])),
        (EXPERIMENT, ([7], [])),
        ([np.int64(7), np.uint32(8), "7", EXPERIMENT, 9.0], ([7, 8, 7, 9], ["7"])),
        (pd.Series([7, 8]), ([7, 8], [])),
        (np.array([7], dtype=np.uint16), ([7], [])),
        ({"a"}, ([], ["a"])),
        ((name for name in ("a", "b")), ([], ["a", "b"])),
    ],
    ids=lambda value: type(value).__name__,
)
def test_experiments_in_many_forms(given: Any, expected: Any) -> None:
    assert arguments.experiments(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        [],
        [None],
        [True],
        True,
        [7.5],
        [-1],
        [Ellipsis],
        b"name",
        ["a", b"b"],
        [["a"]],
        np.array([]),
        [float("nan")],
        {},
        1j,
    ],
    ids=repr,
)
def test_what_names_no_experiment_is_never_all_of_them(given: Any) -> None:
    with pytest.raises(fleetlog.InvalidArgument, match="experiments"):
        arguments.experiments(given)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(), st.lists, max_leaves=4
    )
)
def test_only_what_is_left_out_is_all_experiments(given: Any) -> None:
    try:
        numbers, names = arguments.experiments(given)
    except fleetlog.InvalidArgument:
        return
    assert numbers or names or given is None


def test_runs_in_many_forms() -> None:
    forms: list[Any] = [ID, ID.upper(), str(uuid.UUID(ID)), uuid.UUID(ID), Held()]
    assert [arguments.run_id(form) for form in forms] == [ID] * len(forms)
    assert arguments.run_ids(forms) == [ID] * len(forms)
    assert arguments.run_ids(Held()) == arguments.run_ids(ID) == [ID]
    for wrong in (5, None, b"x", "abc", EXPERIMENT, "../etc"):
        with pytest.raises(fleetlog.InvalidArgument, match="run_id") as caught:
            arguments.run_id(wrong)
        assert caught.value.reason == "INVALID_ID"


NOWHERE = fleetlog.Client("localhost:1")
"""Nothing is sent: each of these is refused before."""


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda c: c.search_runs(deleted="yes"), "deleted: 'yes' is none of active, deleted, all"),
        (lambda c: c.search_runs(deleted="activ"), "did you mean 'active'"),
        (lambda c: c.search_runs(deleted=True), "deleted: True is none of"),
        (lambda c: c.search_runs(total="exat"), "total: 'exat' is none of .*did you mean 'exact'"),
        (lambda c: c.search_runs(limit=-1), r"limit: -1 \(int\) is not a whole number from 0"),
        (lambda c: c.search_runs(limit="10"), r"limit: '10' \(str\)"),
        (lambda c: c.search_runs(limit=True), "limit: True"),
        (lambda c: c.search_runs(5), r"filter: 5 \(int\) is not a text"),
        (lambda c: c.search_runs(order_by=[5]), r"order_by\[0\]: 5"),
        (lambda c: c.search_runs(order_by={"metrics.x": "ASC"}), "order_by: .*a text or a list of texts"),
        (lambda c: c.search_runs(read_mask=5), "read_mask: 5"),
        (lambda c: c.search_runs(summaries="yes"), "summaries: 'yes' .* is not True or False"),
        (lambda c: c.search_runs(experiments=[None]), r"experiments\[0\]: None"),
        (lambda c: c.search_runs(as_of="soon"), "as_of: 'soon' is no time"),
        (lambda c: c.search_runs(as_of=[1]), "as_of"),
        (lambda c: c.watch_runs(limit=0), "limit: 0"),
        (lambda c: c.best_run("x"), "give one of minimize and maximize"),
        (lambda c: c.best_run(None, minimize="metrics.x"), "experiment: None"),
        (lambda c: c.select(mode="parato"), "mode: 'parato' is none of .*did you mean 'pareto'"),
        (lambda c: c.select(statistic=5), "statistic: 5"),
        (lambda c: c.select(minimize=5), "minimize: 5"),
        (lambda c: c.select(objectives=[5]), "objectives: 5"),
        (lambda c: c.select(confidence="high"), "confidence: 'high'"),
        (lambda c: c.select(min_count=-1), "min_count: -1"),
        (lambda c: c.keys(kind="param"), "kind: 'param' is none of .*did you mean 'params'"),
        (lambda c: c.values("user", limit=-1), "limit: -1"),
        (lambda c: c.get_run(5), "run_id: 5"),
        (lambda c: c.get_runs(5), "run_ids: 5"),
        (lambda c: c.compare([ID], of="lats"), "of: 'lats' is none of .*did you mean 'last'"),
        (lambda c: c.update_run(ID, state="done"), "state: 'DONE' is none of"),
        (lambda c: c.update_run(ID, deleted="no"), "deleted: 'no'"),
        (lambda c: c.update_run(ID, tags=5), "tags: 5"),
        (lambda c: c.update_run(ID, tags={"": 1}), "tags"),
        (lambda c: c.update_runs(5, deleted=True), "run_ids: 5"),
        (lambda c: c.update_runs([ID, 5], deleted=True), r"run_ids\[1\]: 5"),
        (lambda c: c.update_runs([ID], state="done"), "state: 'DONE' is none of"),
        (lambda c: c.describe_key("params.lr", bins=0), "bins: 0"),
        (lambda c: c.describe_key("params.lr", scale="logs"), "scale: 'logs' is none of .*did you mean 'log'"),
        (lambda c: c.describe_key("params.lr", min="low"), "min: 'low'"),
        (lambda c: c.experiments(order_by="nam"), "order_by: 'nam' is none of .*did you mean 'name'"),
        (lambda c: c.experiments(activity=1), "activity: 1"),
        (lambda c: c.read_metric(ID, 5), "key: 5"),
        (lambda c: c.read_metric(ID, "x", last=0), "last: 0"),
        (lambda c: c.read_metric(ID, "x", axis="tiem"), "axis: 'tiem' is none of .*did you mean 'time'"),
        (lambda c: c.read_metric(ID, "x", min_steps=1), "argument: 'min_steps' is none of .*did you mean 'min_step'"),
        (lambda c: c.read_metric(ID, "x", max_time="soon"), "max_time: 'soon' is no time"),
        (lambda c: c.read_buckets(ID, "x", 0), "buckets: 0"),
        (lambda c: c.list_artifacts(5), "run_id: 5"),
        (lambda c: c.delete_experiment("name"), "experiment_id: 'name' .*get_experiment"),
        (lambda c: c.create_experiment(5), "name: 5"),
        (lambda c: c.get_experiment(None), "which: None"),
        (lambda c: c.import_runs({}, None), "experiment: None"),
    ],
)  # fmt: skip
def test_a_wrong_argument_names_itself(call: Callable[[Any], Any], said: str) -> None:
    with pytest.raises(fleetlog.InvalidArgument, match=said) as caught:
        call(NOWHERE)
    assert caught.value.reason.isupper()
    assert len(str(caught.value)) < 600


def test_one_text_is_a_list_of_one() -> None:
    assert arguments.texts("order_by", "metrics.x") == ["metrics.x"]
    assert arguments.texts("order_by", np.array(["a", "b"])) == ["a", "b"]
    assert arguments.texts("order_by", None) == []


def test_times_of_reads_have_the_one_rule() -> None:
    text, millis = "2024-01-01T00:00:00", 1_704_085_200_000
    forms: list[Any] = [text, datetime.fromisoformat(text), millis, millis / 1000, pd.Timestamp(text)]
    with local_zone("America/New_York"):
        for form in forms:
            message = as_of_message(form)
            assert message is not None
            assert message.time_millis == millis
            request = metric_request([ID], ["x"], {"min_time": form, "max_time": form})
            assert request.min_time_millis == request.max_time_millis == millis
    relative = metric_request([ID], ["x"], {"axis": "relative", "min_time": 5000, "max_time": timedelta(seconds=9)})
    assert (relative.min_time_millis, relative.max_time_millis) == (5000, 9000)


def test_experiments_and_runs_of_other_forms_are_found(embedded_target: str, experiment: str) -> None:
    client = fleetlog.Client(embedded_target)
    with fleetlog.start_run(experiment, target=embedded_target) as run:
        run.log({"x": 1.0})
    with fleetlog.start_run(f"{experiment} other", target=embedded_target):
        pass
    known = client.get_experiment(experiment)
    forms: list[Any] = [experiment, known, known.id, np.int64(known.id), [np.uint32(known.id)], pd.Series([known.id])]
    for form in forms:
        assert [found.id for found in client.search_runs(experiments=form, order_by="start_time")] == [run.id]
        assert [found.id for found in client.stream_runs(experiments=form)] == [run.id]
        assert [key.key for key in client.keys(experiments=form, kind="metrics")] == ["x"]
    for one in (run, client.get_run(run), uuid.UUID(run.id)):
        assert client.get_run(cast(Any, one)).id == run.id
        assert client.read_metric(one, "x").values.tolist() == [1.0]
    client.update_run(run, tags={"none": None, "n": 1}, deleted_tags="old", state=cast(Any, "finished"))
    assert client.get_run(run).tags == {"n": "1"}
