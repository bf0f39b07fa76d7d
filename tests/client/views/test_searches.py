"""Searches of the client: lists, streams and data frames."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import fleetlog
import polars
import pytest
from fleetlog._transport.connection import connection_to
from fleetlog._views import searches
from fleetlog_core import limits
from fleetlog_proto.v1 import query_pb2

from tests.client.processes import environment, said, train

PARAMS: list[dict[str, object]] = [
    {"layers": 12, "lr": 1e-3, "bf16": True, "model": "gpt2", "odd": 3},
    {"layers": 1 << 60, "lr": 2, "bf16": False, "model": "3", "odd": "three"},
    {"layers": 24, "lr": 0.5, "model": "", "odd": 0.25},
    {"odd": True},
]


@pytest.fixture
def fleet(embedded_target: str, experiment: str) -> list[str]:
    """Four runs, the newest first."""
    found = []
    for place, params in enumerate(PARAMS):
        start = 1_700_000_000_000 - place
        with fleetlog.start_run(
            experiment, f"run {place}", params=params, user="ada", start_time=start, target=embedded_target
        ) as run:
            run.log({"loss": float(place), "bad": math.nan}, step=1)
            if place == 2:
                run.set_tags({"team": "é"})
        found.append(run.id)
    fleetlog.flush(level="applied", target=embedded_target)
    return found


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "PAGE", 2)


def test_all_runs_are_read_when_they_are_looked_at(
    embedded_target: str, experiment: str, fleet: list[str], small_pages: None
) -> None:
    client = fleetlog.Client(embedded_target)
    runs = client.search_runs(experiments=[experiment], limit=None, total="exact")
    assert (repr(runs), runs.total) == ("<fleetlog.RunList, not read yet>", 4)
    assert [run.id for run in runs] == fleet
    assert (len(runs), runs[1].id, runs[-1].id, [run.id for run in runs[1:3]]) == (4, fleet[1], fleet[3], fleet[1:3])
    assert repr(runs) == "<fleetlog.RunList of 4>"
    assert [run.id for run in client.search_runs(experiments=[experiment], limit=3)] == fleet[:3]
    assert len(client.search_runs(experiments=[experiment], limit=0)) == 0


def test_a_page_that_ended_early_is_not_all_that_was_asked_for(
    embedded_target: str, experiment: str, fleet: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PAGE_BYTES", 1)
    client = fleetlog.Client(embedded_target)
    assert [run.id for run in client.search_runs(experiments=[experiment], limit=3)] == fleet[:3]
    assert [run.id for run in client.search_runs(experiments=[experiment], limit=None)] == fleet


def test_a_wrong_filter_is_told_at_once(embedded_target: str, small_pages: None) -> None:
    with pytest.raises(fleetlog.InvalidArgument, match="filter"):
        fleetlog.Client(embedded_target).search_runs("metrics.x <", limit=None)


def test_a_stream_can_be_left_and_begun_again(embedded_target: str, experiment: str, fleet: list[str]) -> None:
    client = fleetlog.Client(embedded_target)
    stream = client.stream_runs(experiments=[experiment], order_by=["metrics.loss DESC"])
    assert next(stream).id == fleet[3]
    del stream
    again = client.stream_runs(experiments=[experiment], order_by=["metrics.loss DESC"])
    assert [run.id for run in again] == fleet[::-1]


def test_a_stream_that_breaks_goes_on_where_it_was(embedded_target: str, experiment: str, fleet: list[str]) -> None:
    client = fleetlog.Client(embedded_target)
    request = query_pb2.SearchRunsRequest(experiment_names=[experiment], page_size=1)
    found = []
    for run in searches.RunSearch(client.target, request, client, 60.0).runs():
        found.append(run.id)
        for stream in list(connection_to(client.target).under_way._streams):
            stream.cancel()
    assert found == fleet


@pytest.mark.parametrize("streamed", [True, False])
def test_frames(
    embedded_target: str, experiment: str, fleet: list[str], monkeypatch: pytest.MonkeyPatch, streamed: bool
) -> None:
    if streamed:
        monkeypatch.setattr(searches, "PAGE", 2)
    runs = fleetlog.Client(embedded_target).search_runs(experiments=[experiment], limit=None)
    assert isinstance(runs, searches.AllRuns) is streamed
    table = runs.to_arrow()
    assert table["run_id"].to_pylist() == fleet
    assert table["params.layers"].to_pylist() == [12, 1 << 60, 24, None]
    assert table["params.lr"].to_pylist() == [1e-3, 2.0, 0.5, None]
    assert table["params.bf16"].to_pylist() == [True, False, None, None]
    assert table["params.model"].to_pylist() == ["gpt2", "3", "", None]
    assert table["params.odd"].to_pylist() == ["3", "three", "0.25", "true"]
    assert table["tags.team"].to_pylist() == [None, None, "é", None]
    assert all(math.isnan(value) for value in table["metrics.bad"].to_pylist())
    assert table["start_time"].to_pylist() == [run.start_time for run in runs]
    assert table["end_time"].to_pylist() == [run.end_time for run in runs]
    frame = runs.to_pandas()
    assert list(frame["metrics.loss"]) == [0.0, 1.0, 2.0, 3.0]
    assert list(frame["state"]) == ["FINISHED"] * 4
    assert runs.to_polars().filter(polars.col("metrics.loss") > 1)["run_id"].to_list() == fleet[2:]


def test_no_runs_are_a_table_with_the_columns_of_every_run(embedded_target: str, experiment: str) -> None:
    fleetlog.Client(embedded_target).create_experiment(experiment)
    runs = fleetlog.Client(embedded_target).search_runs(experiments=[experiment], limit=None)
    assert runs.to_arrow().num_rows == 0
    assert {"run_id", "state", "start_time"} <= set(runs.to_pandas().columns)


def test_pandas_works_without_pyarrow(
    embedded_target: str, experiment: str, fleet: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    runs = fleetlog.Client(embedded_target).search_runs(experiments=[experiment])
    assert list(runs.to_pandas()["metrics.loss"]) == [0.0, 1.0, 2.0, 3.0]
    with pytest.raises(ImportError, match=r"pip install 'fleetlog\[arrow\]'"):
        runs.to_arrow()


def test_the_client_is_light() -> None:
    """Neither numpy nor a data frame library is imported by it."""
    heavy = "{'numpy', 'pandas', 'polars', 'pyarrow'}"
    code = f"import sys, fleetlog; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False, env=environment("")).returncode == 0


def test_a_stream_outlives_a_fork(embedded_target: str, experiment: str, fleet: list[str], tmp_path: Path) -> None:
    """The parent's goes on; the child has streams of its own."""
    script = f"""
        from fleetlog._transport.connection import connection_to
        from fleetlog_proto.v1 import query_pb2
        from fleetlog._views import searches
        client = fleetlog.Client()
        request = query_pb2.SearchRunsRequest(experiment_names=[{experiment!r}], page_size=1)
        stream = searches.RunSearch(client.target, request, client, 60.0).runs()
        found = [next(stream).id]
        pid = os.fork()
        if pid == 0:
            os._exit(len(list(client.stream_runs(experiments=[{experiment!r}]))))
        found += [run.id for run in stream]
        _, status = os.waitpid(pid, 0)
        print(json.dumps([found, os.waitstatus_to_exitcode(status)]))
        """
    done = train(script, tmp_path, embedded_target)
    assert done.returncode == 0, done.stderr
    assert said(done) == [fleet, 4]
