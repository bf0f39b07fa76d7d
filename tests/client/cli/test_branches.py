"""Branches of runs on the command line."""

from __future__ import annotations

import json

import fleetlog
import pytest

from tests.client.cli.in_process import said
from tests.servers import unique


def test_branches_are_listed_and_named(embedded_target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    namespace = unique("branches")
    monkeypatch.setenv("FLEETLOG_NAMESPACE", namespace)
    with fleetlog.start_run("train", target=embedded_target, namespace=namespace) as first:
        for step in range(3):
            first.log({"loss": float(step)})
    with fleetlog.start_run(resume=first, rewind_to_step=0, target=embedded_target, namespace=namespace) as second:
        second.log({"loss": 9.0})
    fleetlog.Client(embedded_target, namespace).flush(level="applied")

    listed = json.loads(said(embedded_target, "runs", "branches", second.id, "--json").out)
    assert [(one["branch"], one["run_id"], one["current"], one["from_step"]) for one in listed] == [
        (0, first.id, False, None),
        (1, second.id, True, 0),
    ]
    table = said(embedded_target, "runs", "branches", first.id)
    assert (table.code, len(table.lines)) == (0, 3)
    old = json.loads(said(embedded_target, "runs", "get", second.id, "--branch", "0", "--json").out)
    assert (old["run_id"], old["superseded_by"], old["metrics"]) == (first.id, second.id, {"loss": 2.0})
    new = json.loads(said(embedded_target, "runs", "get", first.id, "--branch", "current", "--json").out)
    assert (new["run_id"], new["branch"], new["forked_from"]) == (second.id, 1, f"{first.id} step 0")
    shown = said(embedded_target, "metrics", "show", first.id, "loss", "--branch", "1", "--points")
    assert [line.split("\t")[1:2] for line in shown.lines] == [["step"], ["0"], ["1"]]
    same = json.loads(said(embedded_target, "runs", "diff", first.id, second.id, "--branch", "0", "--json").out)
    assert same == []
    files = json.loads(said(embedded_target, "artifacts", "ls", first.id, "--branch", "current", "--json").out)
    assert files == []
    left = json.loads(said(embedded_target, "runs", "search", "--superseded", "--json").out)
    assert [one["run_id"] for one in left] == [first.id]
    exported = said(embedded_target, "runs", "export", "--superseded", "--columns", "run_id", "--format", "jsonl")
    assert [json.loads(line) for line in exported.lines] == [{"run_id": first.id}]
    wrong = said(embedded_target, "runs", "get", first.id, "--branch", "last")
    assert (wrong.code, "neither a number" in wrong.err) == (2, True)
