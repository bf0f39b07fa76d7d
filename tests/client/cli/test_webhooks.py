"""The commands of webhooks against a server."""

from __future__ import annotations

import json

import pytest

from tests.client.cli.in_process import said


def test_a_webhook_is_made_listed_tried_and_deleted(embedded_target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEETLOG_NAMESPACE", "cli-webhooks")
    monkeypatch.setenv("FLEETLOG_WEBHOOK_SECRET", "hush")
    url = "https://hooks.invalid/models"
    made = said(embedded_target, "webhooks", "create", "ci", url, "model_version.created", "comment.created")
    assert made.code == 0
    webhook = made.out.strip()
    listed = said(embedded_target, "webhooks", "ls").out.splitlines()[1].split("\t")
    assert listed[:6] == [webhook, "ci", url, "model_version.created, comment.created", "active", "yes"]
    assert "hush" not in said(embedded_target, "webhooks", "ls", "--json").out
    tried = said(embedded_target, "webhooks", "test", webhook)
    assert (tried.code, tried.out) == (1, "the target's name can't be resolved\n")
    assert json.loads(said(embedded_target, "webhooks", "deliveries", webhook, "--json").out) == []
    assert said(embedded_target, "webhooks", "delete", webhook).code == 0
    gone = said(embedded_target, "webhooks", "delete", webhook)
    assert (gone.code, gone.err) == (1, f"fleetlog: webhook_id: there is no webhook {webhook}\n")


def test_a_url_that_is_refused_is_told_in_a_line(embedded_target: str) -> None:
    answer = said(embedded_target, "webhooks", "create", "ci", "https://10.0.0.1/x", "comment.created")
    assert answer.code == 1
    assert answer.err.count("\n") == 1
    assert "own network" in answer.err
