"""The commands of registered models against a server."""

from __future__ import annotations

import json

import fleetlog
import pytest

from tests.client.cli.terminal import on_terminal, piped

NAMESPACE = "cli-models"


@pytest.fixture(scope="module")
def run_id(embedded_target: str) -> str:
    with fleetlog.start_run("cli", "best", target=embedded_target, namespace=NAMESPACE, params={"lr": 0.1}) as run:
        run.log({"loss": 3.1}, step=1)
    return run.id


def models(target: str, *arguments: str) -> list[list[str]]:
    """The cells of what a command prints into a pipe."""
    answer = piped(target, "models", *arguments, "--namespace", NAMESPACE)
    assert (answer.code, answer.err) == (0, "")
    return [line.split("\t") for line in answer.lines]


def test_a_model_goes_from_a_run_to_production_by_commands(embedded_target: str, run_id: str) -> None:
    made = models(embedded_target, "register", "gpt2", "--run", run_id, "--alias", "champion", "--tag", "a=b\tc")
    assert made == [["name", "version", "stage", "aliases"], ["gpt2", "1", "None", "champion"]]
    models(embedded_target, "register", "gpt2", "--source", "s3://bucket/x", "--user", "eve")
    asked = models(embedded_target, "request", "gpt2", "2", "--stage", "Production", "-m", "better")
    assert asked[1] == ["1", "2", "Production", "pending"]
    assert models(embedded_target, "approvals", "gpt2")[1][:4] == ["1", "2", "Production", "pending"]
    assert models(embedded_target, "approve", "gpt2", "1", "--user", "ann")[1][3] == "approved"
    assert models(embedded_target, "promote", "gpt2", "1", "--archive")[1] == ["gpt2", "1", "Production", "champion"]
    assert models(embedded_target, "alias", "gpt2", "old", "2")[1:] == [["champion", "1"], ["old", "2"]]
    models(embedded_target, "comment", "gpt2", "a\tcomment", "--version", "2")
    listed = models(embedded_target, "ls", "GPT")
    assert [row[:5] for row in listed[1:]] == [["gpt2", "2", "1", "", "champion: 1, old: 2"]]
    shown = dict(row for row in models(embedded_target, "show", "gpt2", "1")[1:])
    assert (shown["run_id"], shown["stage"], shown["tags.a"]) == (run_id, "Production", r"b\tc")
    told = models(embedded_target, "history", "gpt2", "--limit", "3")
    assert [row[2:5] for row in told[1:]] == [
        ["commented", "2", ""], ["alias_set", "2", "old"], ["version_transitioned", "2", "stage"],
    ]  # fmt: skip
    differing = {row[0]: row[1:] for row in models(embedded_target, "diff", "gpt2", "1", "2")[1:]}
    assert differing["stage"] == ["Production", "Archived"]
    assert differing["source"] == [f"runs:/{run_id}", "s3://bucket/x"]


def test_models_are_told_as_json_and_on_a_terminal(embedded_target: str, run_id: str) -> None:
    client = fleetlog.Client(embedded_target, NAMESPACE)
    client.register_model("json", run=run_id, tags={"note": "[red]\x1b[2J"})
    answer = piped(embedded_target, "models", "show", "json", "--namespace", NAMESPACE, "--json")
    document = json.loads(answer.out)
    assert (document["name"], document["versions"][0]["run_id"]) == ("json", run_id)
    assert document["versions"][0]["tags"] == {"note": "[red]\x1b[2J"}
    shown = on_terminal(embedded_target, 100, "models", "show", "json", "1", "--namespace", NAMESPACE)
    assert "\x1b" not in shown.out
    assert r"[red]\x1b[2J" in shown.out


def test_what_is_wrong_is_told_in_a_line(embedded_target: str, run_id: str) -> None:
    missing = piped(embedded_target, "models", "show", "nobody", "--namespace", NAMESPACE)
    assert (missing.code, missing.out) == (1, "")
    assert missing.err.startswith("fleetlog: name: there is no model 'nobody'")
    for arguments in (
        ["register", "x"],
        ["alias", "x", "a"],
        ["request", "x", "1"],
        ["promote", "x", "1", "--stage", "y"],
    ):
        assert piped(embedded_target, "models", *arguments, "--namespace", NAMESPACE).code == 2
