"""The client's commands against a server."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass

import fleetlog
import pytest

from tests.client.cli.terminal import on_terminal, piped
from tests.ports import free_port

ODD = "[bold]odd" + "x" * 60
NOTE = "[red]a\tb\nc\x1b[2J"


@dataclass(frozen=True)
class Runs:
    """Three runs: what they are is in the fixture."""

    target: str
    best: str
    second: str
    odd: str


@pytest.fixture(scope="module")
def runs(embedded_target: str) -> Runs:
    ids: list[str] = []
    for name, loss in (("best", 3.123456789), ("second", 3.25), (ODD, 123_456_789.5)):
        params = {"lr": 2e-5, "seed": len(ids)}
        start = 1_700_000_000_000
        run = fleetlog.start_run(
            "cli", name, params=params, tags={"note": NOTE}, start_time=start, target=embedded_target
        )
        run.log_input("fineweb10B", "training", digest="8f2c")
        for step in range(100):
            run.log({"loss": loss + (99 - step), "acc": 0.5, "other/metric": 1.0, "time_ms": 88324.0}, step=step)
        run.finish(end_time=start + 4_325_000)
        ids.append(run.id)
    fleetlog.Client(embedded_target).flush(level="applied")
    return Runs(embedded_target, *ids)


def test_a_search_in_a_pipe_is_exact_and_tab_separated(runs: Runs) -> None:
    answer = piped(runs.target, "runs", "search", "metrics.loss < 4", "-e", "cli", "--order-by", "metrics.loss ASC")
    assert (answer.code, answer.err) == (0, "")
    head, *rows = [line.split("\t") for line in answer.lines]
    assert head[:3] == ["run_id", "name", "metrics.loss"]
    assert [row[:3] for row in rows] == [[runs.best, "best", "3.123456789"], [runs.second, "second", "3.25"]]
    assert dict(zip(head, rows[0], strict=True))["start_time"] == "2023-11-14T22:13:20Z"
    assert dict(zip(head, rows[0], strict=True))["duration"] == "4325.0"


def test_a_search_is_explained(runs: Runs) -> None:
    filter_ = "metrics.loss < 4 AND mean(metrics.loss WHERE step >= 7) < 5"
    answer = piped(runs.target, "runs", "search", filter_, "--order-by", "tags.note", "--explain")
    assert (answer.code, answer.err) == (0, "")
    assert answer.lines[:3] == ["all of:", "  metrics.loss < 4", "  mean(metrics.loss WHERE step >= 7) < 5"]
    assert "reads points: the points themselves, 100,000,000 at most" in answer.lines
    assert not any("tag_history" in line for line in answer.lines)
    then = json.loads(
        piped(runs.target, "runs", "search", "tags.note = 'x'", "--explain", "--as-of", "1m", "--json").out
    )
    assert then["reads_points"] is False
    assert "reads tag_history: tags as they were" in then["lines"]
    wrong = piped(runs.target, "runs", "search", "metrics.loss <", "--explain")
    assert wrong.code != 0
    assert "expected" in wrong.err


def test_texts_of_others_stay_in_their_cell(runs: Runs) -> None:
    answer = piped(runs.target, "runs", "search", "metrics.loss > 4", "-e", "cli", "--columns", "name,tags.note")
    assert answer.lines[1].split("\t") == [runs.odd, ODD, r"[red]a\tb\nc\x1b[2J"]
    shown = on_terminal(
        runs.target, 200, "runs", "search", "metrics.loss > 4", "-e", "cli", "--columns", "name,tags.note"
    )
    assert rf"{ODD}  [red]a\tb\nc\x1b[2J" in shown.out
    assert "\x1b" not in shown.out


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_a_table_fits_the_terminal_and_says_what_it_leaves_out(runs: Runs, columns: int) -> None:
    answer = on_terminal(runs.target, columns, "runs", "search", "-e", "cli", "--order-by", "metrics.loss ASC")
    assert answer.code == 0
    assert len(answer.lines) == 4
    assert all(len(line.rstrip()) <= columns for line in answer.lines)
    assert [line.split()[0] for line in answer.lines[1:]] == [runs.best, runs.second, runs.odd]
    assert ("no room for" in answer.err) == (columns < 200)
    if columns >= 80:
        assert answer.lines[0].split()[:3] == ["run_id", "name", "loss"]
        assert answer.lines[1].split()[1:3] == ["best", "3.12346"]
        assert "123,456,790" in answer.lines[3]
    if columns == 200:
        assert answer.lines[1].split()[-6:] == ["FINISHED", "2023-11-14", "1", "h", "12", "min"]


def test_more_than_the_limit_is_said(runs: Runs) -> None:
    answer = on_terminal(runs.target, 80, "runs", "search", "-e", "cli", "--limit", "2")
    assert len(answer.lines) == 3
    assert "the first 2: --limit shows more" in answer.err


def test_no_run_is_said_to_a_person_and_is_an_empty_table_to_a_script(runs: Runs) -> None:
    assert "no run matches" in on_terminal(runs.target, 80, "runs", "search", "metrics.loss < 0", "-e", "cli").err
    assert len(piped(runs.target, "runs", "search", "metrics.loss < 0", "-e", "cli").lines) == 1


def test_a_search_of_everything_names_the_experiments(runs: Runs) -> None:
    head, row = piped(runs.target, "runs", "search", f"attributes.run_id = '{runs.best}'").lines
    assert dict(zip(head.split("\t"), row.split("\t"), strict=True))["experiment"] == "cli"


def test_json_has_everything(runs: Runs) -> None:
    (found,) = json.loads(piped(runs.target, "runs", "search", "metrics.loss < 3.2", "-e", "cli", "--json").out)
    assert (found["run_id"], found["metrics"]["loss"], found["params"]) == (
        runs.best,
        3.123456789,
        {"lr": 2e-5, "seed": 0},
    )
    one = json.loads(piped(runs.target, "runs", "get", runs.best, "--json").out)
    assert (one["experiment"], one["summaries"]["loss"]["count"], one["problems"]) == ("cli", 100, [])
    assert [(data["name"], data["digest"]) for data in one["datasets"]] == [("fineweb10B", "8f2c")]
    (seed,) = json.loads(piped(runs.target, "runs", "diff", runs.best, runs.second, "--json").out)[:1]
    assert seed == {"what": "params.seed", "values": {runs.best: 0, runs.second: 1}}
    points = json.loads(piped(runs.target, "metrics", "show", runs.best, "loss", "--json").out)
    assert points[-1] == {"key": "loss", "step": 99, "time_millis": points[-1]["time_millis"], "value": 3.123456789}
    assert "cli" in [one["name"] for one in json.loads(piped(runs.target, "experiments", "ls", "--json").out)]


def test_a_run_on_a_terminal(runs: Runs) -> None:
    out = on_terminal(runs.target, 80, "runs", "get", runs.best).out
    assert "2023-11-14 22:13:20 UTC" in out
    assert "1 h 12 min" in out
    assert [line.split() for line in out.splitlines() if "fineweb" in line] == [
        ["dataset", "fineweb10B", "training", "·", "8f2c"]
    ]
    (loss,) = [line.split() for line in out.splitlines() if line.startswith("loss ")]
    assert loss == ["loss", "3.12346", "99", "3.12346", "102.123", "52.6235", "100"]


def test_a_difference_on_a_terminal(runs: Runs) -> None:
    out = on_terminal(runs.target, 80, "runs", "diff", runs.best, runs.second).out
    (loss,) = [line for line in out.splitlines() if line.startswith("metrics.loss")]
    assert loss.split() == ["metrics.loss", "3.12346", "3.25", "+4.05", "%"]
    assert "params.lr" not in out
    assert "the same" in on_terminal(runs.target, 80, "runs", "diff", runs.best, runs.best).err


def test_a_chart_fits_the_terminal(runs: Runs) -> None:
    answer = on_terminal(runs.target, 60, "metrics", "show", runs.best, "loss")
    assert "last 3.12346 at step 99" in answer.lines[0]
    assert max(len(line.rstrip()) for line in answer.lines[1:]) <= 60


def test_differences_of_many_runs(runs: Runs) -> None:
    ids = [runs.best, runs.second, runs.odd]
    head, *rows = [line.split("\t") for line in piped(runs.target, "runs", "diff", *ids, "--of", "min").lines]
    assert head == ["what", *ids]
    assert [row[0] for row in rows] == ["params.seed", "metrics.loss"]
    assert rows[1][1:3] == ["3.123456789", "3.25"]
    every = piped(runs.target, "runs", "diff", *ids, "--all").lines
    assert "metrics.acc\t0.5\t0.5\t0.5" in every
    answer = on_terminal(runs.target, 120, "runs", "diff", *ids, runs.best, runs.second)
    assert [line.split()[0] for line in answer.lines] == ["run_id", *ids, runs.best, runs.second]


def show(runs: Runs, *options: str) -> list[list[str]]:
    return [line.split("\t") for line in piped(runs.target, "metrics", "show", runs.best, "loss", *options).lines]


def test_points_in_a_pipe_are_the_ones_asked_for(runs: Runs) -> None:
    head, *rows = show(runs, "--last", "2")
    assert head == ["key", "step", "time_millis", "value"]
    assert [(row[0], row[1]) for row in rows] == [("loss", "98"), ("loss", "99")]
    assert [row[1] for row in show(runs, "--points", "--from-step", "5", "--to-step", "7")[1:]] == ["5", "6", "7"]
    assert show(runs, "--points", "--until", "2023-11-14") == [head]
    assert show(runs, "--points", "--rank", "3") == [head]
    assert len(show(runs, "--points", "--x", "relative", "--since", "1h30m")) == 101


def test_buckets_and_several_runs_in_a_pipe(runs: Runs) -> None:
    head, *rows = show(runs, "--buckets", "4", "--run", runs.second, "--per-rank")
    assert head == ["run_id", "key", "rank", "step", "count", "nans", "min", "max", "mean"]
    assert [row[0] for row in rows] == [runs.best] * 4 + [runs.second] * 4
    assert rows[3][1:7] == ["loss", "-1", "75", "25", "0", "3.123456789"]


@pytest.mark.parametrize(("axis", "end"), [("step", "step 99"), ("time", ":"), ("relative", " h")])
def test_charts_along_an_axis(runs: Runs, axis: str, end: str) -> None:
    answer = on_terminal(runs.target, 60, "metrics", "show", runs.best, "loss", "--x", axis, "--run", runs.second)
    assert answer.code == 0
    assert end in answer.lines[-1]
    assert ["best: loss" in answer.out, "second: loss" in answer.out] == [True, True]


def test_experiments_are_made_and_listed(runs: Runs) -> None:
    with suppress(fleetlog.AlreadyExists):
        fleetlog.Client(runs.target).create_experiment("cli made")
    again = piped(runs.target, "experiments", "create", "cli made")
    assert again.code == 1
    assert again.err.startswith("fleetlog: name: 'cli made' is the name of experiment")
    assert piped(runs.target, "experiments", "create", "cli made", "--exist-ok").code == 0
    rows = [line.split("\t") for line in piped(runs.target, "experiments", "ls").lines]
    assert rows[0] == ["id", "name", "runs", "running", "last start", "created"]
    assert (rows[1][:2], rows[1][5]) == (["0", "Default"], "")
    told = {row[1]: row for row in rows[1:]}
    assert told["cli made"][2:5] == ["0", "0", ""]
    found = fleetlog.Client(runs.target).search_runs(experiments="cli", limit=None)
    assert told["cli"][2:4] == [str(len(found)), str(sum(run.state == "RUNNING" for run in found))]
    (made,) = json.loads(piped(runs.target, "experiments", "ls", "--contains", "CLI M", "--json").out)
    assert (made["name"], made["activity"]["runs"]) == ("cli made", 0)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (
            ["runs", "search", "-e", "nowhere"],
            1,
            "there is no experiment 'nowhere' in this namespace: there are Default",
        ),
        (["runs", "search", "metrics.x <"], 1, "filter: column 12: expected a value"),
        (["runs", "search", "--order-by", "foo"], 1, "order_by[0]: column 1: 'foo' is no attribute"),
        (["runs", "get", "0" * 32], 1, f"there is no run {'0' * 32}"),
        (["runs", "get", "123"], 1, "no run of this namespace has an id that begins with 123"),
        (["runs", "search", "--columns", "foo"], 2, "'foo' is no column: there are run_id, name"),
        (["runs", "search", "--limit", "0"], 2, "--limit"),
        (["runs", "frob"], 2, "No such command 'frob'"),
        (["runs", "diff", "0" * 32], 2, "give two runs or more"),
        (["runs", "diff", "0" * 32, "1" * 32], 1, f"there is no run {'0' * 32}"),
        (["metrics", "show"], 2, "Missing argument"),
        (["metrics", "show", "0" * 32, "x", "--last", "3", "--buckets", "4"], 2, "one of --last and --buckets"),
        (["metrics", "show", "0" * 32, "x", "--since", "soon"], 1, "there is no run"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(embedded_target: str, arguments: list[str], code: int, says: str) -> None:
    answer = piped(embedded_target, *arguments)
    assert (answer.code, answer.out) == (code, "")
    assert says in answer.err
    if code == 1:
        assert answer.err.startswith("fleetlog: ")
        assert answer.err.count("\n") == 1


def test_a_metric_that_is_not_there_names_those_that_are(runs: Runs) -> None:
    answer = piped(runs.target, "metrics", "show", runs.best, "nope")
    assert answer.code == 1
    assert "no metric 'nope': it has acc, loss, other/metric, time_ms" in answer.err


def test_without_a_server_the_mend_is_said() -> None:
    target = f"127.0.0.1:{free_port()}"
    answer = piped(target, "experiments", "ls")
    assert answer.code == 1
    assert answer.err == (
        f"fleetlog: no server answers at {target}: start one with `fleetlog up`,"
        " or give the address of one in FLEETLOG_TARGET\n"
    )


@pytest.mark.parametrize(
    "command",
    [["runs", "search"], ["runs", "get"], ["runs", "diff"], ["metrics", "show"], ["experiments", "ls"],
     ["experiments", "create"]],
)  # fmt: skip
def test_help_shows_an_example(command: list[str]) -> None:
    answer = piped("localhost:1", *command, "--help")
    assert answer.code == 0
    assert f"Example: fleetlog {' '.join(command)}" in answer.out
