"""Tables of runs, from the caller to what is read."""

from __future__ import annotations

import math
from pathlib import Path

import fleetlog
import numpy as np
from fleetlog._transport.connection import connection_to
from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import event_pb2, ingest_pb2

from tests.client.cli.terminal import piped

NOW = 1_700_000_000_000


def _table(experiment: str, count: int) -> dict[str, object]:
    places = range(count)
    return {
        "run_id": [f"{experiment} {place}" for place in places],
        "name": [f"run {place}" for place in places],
        "start_time": [NOW + place for place in places],
        "end_time": [NOW + place + 5_000 for place in places],
        "params.lr": np.arange(count) / 1000,
        "params.model": [None if place % 3 else "gpt2" for place in places],
        "tags.team": ["speed"] * count,
        "metrics.loss": [math.nan if place == 0 else place / 10 for place in places],
        "steps.loss": [100] * count,
    }


def test_a_table_comes_back_as_runs(embedded_target: str, experiment: str) -> None:
    client = fleetlog.Client(embedded_target)
    seen: list[tuple[int, int]] = []
    done = client.import_runs(_table(experiment, 700), experiment, on_progress=lambda *told: seen.append(told))
    assert (done.imported, done.existing, len(done.run_ids)) == (700, 0, 700)
    assert seen[-1] == (700, 700)
    found = client.search_runs("params.model = 'gpt2' AND metrics.loss < 0.9", experiments=[experiment], total="exact")
    assert sorted(run.name for run in found) == ["run 3", "run 6"]
    run = client.get_run(done.run_ids[3])
    assert (run.name, run.state, run.params, run.problems) == ("run 3", "FINISHED", {"lr": 0.003, "model": "gpt2"}, [])
    assert run.tags == {"team": "speed", "source_run_id": f"{experiment} 3"}
    assert run.end_time is not None
    assert (run.end_time - run.start_time).total_seconds() == 5
    series = run.metric("loss")
    assert (series.steps.tolist(), series.values.tolist()) == ([100], [0.3])
    assert run.summary("loss").count == 1
    assert client.get_run(done.run_ids[0]).summary("loss").nan_count == 1


def test_again_it_adds_nothing_and_the_rest_goes_on(embedded_target: str, experiment: str) -> None:
    client = fleetlog.Client(embedded_target)
    first = client.import_runs(_table(experiment, 30), experiment)
    client.update_run(first.run_ids[0], tags={"team": "other"})
    client.flush(level="applied")
    again = client.import_runs(_table(experiment, 50), experiment)
    assert (again.imported, again.existing) == (20, 30)
    assert again.run_ids[:30] == first.run_ids
    assert len(client.search_runs(experiments=[experiment], limit=None)) == 50
    run = client.get_run(first.run_ids[0])
    assert (run.tags["team"], run.problems) == ("other", [])


def test_a_table_that_was_sent_twice_is_there_once(embedded_target: str, experiment: str) -> None:
    client = fleetlog.Client(embedded_target)
    number = client.create_experiment(experiment).id
    connection = connection_to(embedded_target)
    runs = event_pb2.RunsImported(
        experiment_id=number,
        run_ids=b"".join(new_random_id() for _ in range(100)),
        start_times_millis=[NOW] * 100,
    )
    runs.states.extend([event_pb2.RUN_STATE_FINISHED] * 100)
    runs.metrics.add(key="loss", values=[1.0] * 100)
    request = ingest_pb2.ImportRunsRequest(request_id=new_random_id(), runs=runs)
    calls = [connection.ingest.ImportRuns.future(request) for _ in range(3)]
    for call in calls:
        connection.saw(call.result().position)
    found = client.search_runs(experiments=[experiment], summaries=True, limit=1000)
    assert len(found) == 100
    assert {run.summary("loss").count for run in found} == {1}
    assert client.get_run(found[0].id).problems == []


def test_runs_of_a_table_go_on_like_any_other(embedded_target: str, experiment: str) -> None:
    client = fleetlog.Client(embedded_target)
    ids = client.import_runs(_table(experiment, 5), experiment).run_ids
    client.flush(level="applied")
    with fleetlog.start_run(experiment, run_id=ids[2], resume=True, target=embedded_target) as run:
        run.log({"loss": 7.5}, step=101)
        run.log_params({"lr": 9.0, "more": 1})
    view = client.get_run(ids[2])
    assert view.metric("loss").values.tolist() == [0.2, 7.5]
    assert view.params == {"lr": 0.002, "more": 1}
    assert [problem.reason for problem in view.problems] == ["PARAM_CONFLICT"]


def test_another_fleetlogs_table(embedded_target: str, experiment: str) -> None:
    here, there = fleetlog.Client(embedded_target), fleetlog.Client(embedded_target, "elsewhere")
    here.import_runs(_table(experiment, 40), experiment)
    here.flush(level="applied")
    frame = here.search_runs(experiments=[experiment], limit=None).to_pandas()
    assert there.import_runs(frame, experiment).imported == 40
    copied = there.search_runs(experiments=[experiment], limit=None).to_pandas()
    assert copied.drop(columns="experiment_id").equals(frame.drop(columns="experiment_id"))


def test_a_value_that_is_wrong_is_left_out_and_named(embedded_target: str, experiment: str) -> None:
    client = fleetlog.Client(embedded_target)
    table = _table(experiment, 10) | {"tags.note": ["x"] * 9 + ["y" * 16_385]}
    done = client.import_runs(table, experiment)
    assert [(one.row, one.column, one.reason) for one in done.left_out] == [(10, "tags.note", "TEXT_TOO_LONG")]
    assert "row 10, 'tags.note': " in str(done.left_out[0])
    assert "16,384" in str(done.left_out[0])
    assert done.imported == len(client.search_runs(experiments=[experiment])) == 10
    assert len(client.search_runs("tags.note = 'x'", experiments=[experiment])) == 9


def test_the_command(embedded_target: str, experiment: str, tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    path.write_text("params.lr,metrics.loss\n0.1,3.5\n0.2,3.25\n")
    answer = piped(embedded_target, "runs", "import", str(path), "-e", experiment)
    assert (answer.code, answer.out) == (0, f"2 runs imported into {experiment}\n")
    again = piped(embedded_target, "runs", "import", str(path), "-e", experiment, "--json")
    assert again.out == '{"imported": 0, "existing": 2, "left_out": []}\n'
    found = fleetlog.Client(embedded_target).search_runs("params.lr > 0.15", experiments=[experiment])
    assert [run.metrics for run in found] == [{"loss": 3.25}]
    path.write_text("params.lr,metrics.loss\n0.1,3.5\n0.2,much\n")
    partly = piped(embedded_target, "runs", "import", str(path), "-e", f"{experiment} partly")
    assert partly.code == 0
    assert "1 values were left out: row 2, 'metrics.loss'" in partly.err
    path.write_text("lr\n1\n")
    wrong = piped(embedded_target, "runs", "import", str(path), "-e", experiment)
    assert wrong.code == 2
    assert "params.lr" in wrong.err
    assert piped(embedded_target, "runs", "import", str(tmp_path / "none.csv"), "-e", experiment).code == 2
