"""`fleetlog audit` against a server."""

from __future__ import annotations

import json

import fleetlog
import pytest

from tests.client.cli.in_process import said

NAMESPACE = "cli-audit"


def test_who_did_what_is_lines_with_tabs_and_an_object_a_line(
    embedded_target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETLOG_NAMESPACE", NAMESPACE)
    with fleetlog.start_run("audited", "a\u202ename", target=embedded_target) as run:
        run.log({"loss": 0.5}, step=3)
    listed = said(embedded_target, "audit", run.id[:31], "--kind", "run_started", "--kind", "run_finished")
    assert listed.code == 0, listed.err
    heads, *lines = [line.split("\t") for line in listed.out.splitlines()]
    rows = [dict(zip(heads, line, strict=True)) for line in lines]
    assert {row["run_id"] for row in rows} == {run.id}
    assert r"run started: a\u202ename" in rows[0]["summary"]
    assert all(row["position"].startswith("events-0:") for row in rows)
    objects = [json.loads(line) for line in said(embedded_target, "audit", run.id, "--json").out.splitlines()]
    assert [one["run_id"] for one in objects] == [run.id] * len(objects)
    assert {"run_started", "metrics_logged", "run_finished"} <= {kind for one in objects for kind in one["kinds"]}
    (last,) = said(embedded_target, "audit", "-e", "audited", "--latest", "--limit", "1", "--json").out.splitlines()
    assert json.loads(last) == objects[-1]
    (whole,) = said(embedded_target, "audit", run.id, "--limit", "1", "--json", "--messages").out.splitlines()
    assert json.loads(whole)["message"]["events"][0]["run_started"]["name"] == "a\u202ename"
    assert said(embedded_target, "audit", "--principal", "nobody").out.splitlines() == ["\t".join(heads)]


def test_what_can_not_be_meant_is_told_in_a_line(embedded_target: str) -> None:
    for arguments, words in (
        (["0" * 32], "there is no run"),
        (["--model", "nothing"], "there is no model"),
        (["--kind", "run_exploded"], "is none; give some of"),
        (["--since", "soon"], "is no time"),
        (["0" * 32, "-e", "x"], "give a run, an experiment or a model"),
    ):
        answer = said(embedded_target, "audit", *arguments, "--namespace", NAMESPACE)
        assert answer.code == 1
        assert (answer.err.count("\n"), words in answer.err) == (1, True), answer.err


def test_nobody_was_denied_anything_on_a_server_that_asks_nobody(embedded_target: str) -> None:
    answer = said(embedded_target, "audit", "--denied", "--namespace", "cli-audit-empty")
    assert (answer.code, answer.out.splitlines()) == (0, ["time\twho\ttoken\tcall\treason\tnamespace\tserver"])
