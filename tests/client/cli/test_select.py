"""fleetlog select, keys and values, as a person and as a script see them."""

from __future__ import annotations

import json

import fleetlog
import pytest

from tests.client.cli.terminal import on_terminal, piped


@pytest.fixture(scope="module")
def target(embedded_target: str) -> str:
    """Three seeds each of two settings, and a run without a loss."""
    for lr, losses in ((0.1, (1.0, 2.0, 3.0)), (0.01, (1.5, 1.6, 1.7))):
        for seed, loss in enumerate(losses):
            with fleetlog.start_run(
                "cli select", f"lr {lr} seed {seed}", params={"lr": lr, "seed": seed}, tags={"team": "a"},
                target=embedded_target,
            ) as run:  # fmt: skip
                run.log({"loss": loss, "val/acc": loss / 2}, step=1)
    with fleetlog.start_run("cli select", "broken", params={"lr": 1.0}, target=embedded_target):
        pass
    fleetlog.Client(embedded_target).flush(level="applied")
    return embedded_target


GROUPED = ("select", "-e", "cli select", "--minimize", "metrics.loss", "--group-by", "params.lr", "--min-count", "2")


def test_groups_in_a_pipe_are_exact(target: str) -> None:
    answer = piped(target, *GROUPED)
    assert (answer.code, answer.err) == (0, "")
    head, *rows = [line.split("\t") for line in answer.lines]
    assert head[:4] == ["rank", "params.lr", "count", "metrics.loss"]
    assert [row[:3] for row in rows] == [["1", "0.01", "3"], ["2", "0.1", "3"]]
    best = dict(zip(head, rows[0], strict=True))
    assert float(best["metrics.loss std"]) == pytest.approx(0.1)
    assert float(best["metrics.loss confidence_high"]) == pytest.approx(1.6 + 4.30265 * 0.1 / 3**0.5, abs=1e-5)
    assert best["name"] == "lr 0.01 seed 0"


def test_a_terminal_shows_why(target: str) -> None:
    answer = on_terminal(target, 160, *GROUPED, "--statistic", "best")
    assert answer.code == 0
    assert answer.lines[0].split()[:4] == ["rank", "params.lr", "runs", "metrics.loss"]
    assert answer.lines[1].split()[:4] == ["1", "0.1", "3", "1"]
    assert answer.err.splitlines() == [
        "7 runs",
        "  metrics.loss is a number: 1 of 7 put aside",
        "  groups of at least 2 runs: 0 of 6 put aside",
        "6 runs in 2 groups compared",
        "  the best of 2 groups by lowest best value of metrics.loss (1)",
        "  number 2 of 2 groups by lowest best value of metrics.loss (1.5); number 1 has 1",
    ]


def test_nothing_left_says_what_put_it_aside(target: str) -> None:
    answer = on_terminal(target, 100, "select", "metrics.loss < 0", "-e", "cli select", "--maximize", "metrics.loss")
    assert (answer.code, answer.out) == (0, "")
    assert "  metrics.loss < 0: 7 of 7 put aside" in answer.err
    piped_answer = piped(target, "select", "metrics.loss < 0", "-e", "cli select", "--maximize", "metrics.loss")
    assert piped_answer.lines == ["rank\tmetrics.loss\trun_id\tname"]


def test_json_holds_all_of_it(target: str) -> None:
    answer = piped(
        target, "select", "-e", "cli select", "--objective", "metrics.loss ASC 2", "--maximize", "metrics.val/acc",
        "--mode", "pareto", "--limit", "2", "--json",
    )  # fmt: skip
    told = json.loads(answer.out)
    assert [group["front"] for group in told["groups"]] == [1, 1]
    assert told["groups"][0]["runs"][0]["objectives"] == {"metrics.loss": 1.0, "metrics.val/acc": 0.5}
    assert told["groups"][0]["objectives"]["metrics.loss"]["std"] == "nan"
    assert told["verdicts"][0] == {"constraint": "metrics.loss is a number", "asked": 7, "put_aside": 1}
    assert told["candidates"] == 7


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (("select", "-e", "cli select"), 2, "--minimize metrics.val_loss"),
        (("select", "--objective", "metrics.loss"), 1, "is not of the form 'metrics.val_loss ASC'"),
        (("select", "--minimize", "metrics.loss", "--mode", "best"), 1, "none of lexicographic, weighted, pareto"),
        (("select", "--minimize", "metrics.loss", "--statistic", "max"), 1, "none of mean, median, best, worst"),
        (("keys", "--kind", "metric"), 1, "none of params, tags, metrics"),
        (("values", "metrics.loss"), 1, "values are listed of a param, a tag or an attribute"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(target: str, arguments: tuple[str, ...], code: int, what: str) -> None:
    answer = piped(target, *arguments)
    assert (answer.code, answer.out) == (code, "")
    assert what in " ".join(answer.err.replace("│", " ").split())


def test_keys_and_values(target: str) -> None:
    answer = piped(target, "keys", "-e", "cli select")
    assert answer.lines == [
        "key\truns\tnumbers\tmin\tmax",
        "params.lr\t7\t7\t0.01\t1.0",
        "params.seed\t6\t6\t0.0\t2.0",
        "tags.team\t6\t0\t\t",
        "metrics.loss\t6\t6\t1.0\t3.0",
        "metrics.val/acc\t6\t6\t0.5\t1.5",
    ]
    few = piped(
        target, "keys", "metrics.loss > 2", "-e", "cli select", "--kind", "params", "--contains", "SEED", "--json"
    )
    assert json.loads(few.out) == [
        {"kind": "params", "key": "seed", "runs": 1, "numeric_runs": 1, "min": 2.0, "max": 2.0}
    ]
    assert piped(target, "values", "params.lr", "-e", "cli select").lines == [
        "value\truns", "0.01\t3", "0.1\t3", "1.0\t1",
    ]  # fmt: skip
    shown = on_terminal(target, 80, "values", "state", "-e", "cli select", "--limit", "1")
    assert shown.lines[1].split() == ["FINISHED", "7"]
    assert shown.err == "the first 1: --limit shows more\n"


@pytest.mark.parametrize("command", ["select", "keys", "values"])
def test_help_has_examples(target: str, command: str) -> None:
    answer = on_terminal(target, 120, command, "--help")
    assert answer.code == 0
    assert f"fleetlog {command} " in answer.out.split("For example:")[1]
