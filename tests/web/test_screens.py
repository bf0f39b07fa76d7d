"""Every screen over the real runs, in both themes: whole and without an error.

FLEETLOG_SCREENSHOTS names a folder for pictures of them.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import fleetlog
import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import COUNT, SPEEDRUN
from tests.web.pictures import look
from tests.web.tables import open_runs, shown_runs

MODEL = "speedrun-gpt"


def charted(page: Page) -> None:
    """Wait until every card shows what it has."""
    cards = page.locator(".card")
    expect(cards).not_to_have_count(0)
    for card in cards.all():
        expect(card).to_have_attribute("data-state", re.compile("ready|empty"))


def register(client: fleetlog.Client, runs: list[str]) -> None:
    """Versions of a model of some runs, and what may be said of them; once."""
    if any(model.name == MODEL for model in client.models()):
        return
    for run in runs:
        client.register_model(MODEL, run=run)
    client.update_model(MODEL, description="The fastest GPT-2 that reaches *3.28*.", approval_stages="Production")
    client.transition(MODEL, 2, "Staging")
    client.set_alias(MODEL, "champion", 2)
    client.request_transition(MODEL, 2, "Production", comment="faster at the same loss")
    client.add_model_comment(MODEL, "Version 2 has **five** seeds.", version=2)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_each_screen_shows_real_runs_without_an_error(
    page: Page, theme: str, speedrun: fleetlog.Client, speedrun_path: str, screenshots: Path | None
) -> None:
    page.goto("/")
    expect(page.locator("tr[data-experiment]").filter(has_text=SPEEDRUN)).to_contain_text(str(COUNT))
    look(page, screenshots, "experiments", theme)

    open_runs(page, f"{speedrun_path}?o=metrics.val_loss&s=50")
    charted(page)
    look(page, screenshots, "runs", theme)
    ids = shown_runs(page)[:4]

    page.get_by_role("button", name="Columns", exact=True).click()
    look(page, screenshots, "columns", theme)
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("metrics.val_loss < 3.28 AND metrics.")
    expect(page.locator(".offers li").first).to_be_visible()
    look(page, screenshots, "filter", theme)

    open_runs(page, f"{speedrun_path}?g=tags.record&runs=first:50&c=val_loss&c=train_time")
    charted(page)
    look(page, screenshots, "groups", theme)

    page.goto(f"/n/default/runs/{ids[0]}")
    expect(page.locator("[data-section=metrics] tr[data-metric]").first).to_be_visible()
    look(page, screenshots, "run", theme)
    page.get_by_role("tab", name="charts").click()
    charted(page)
    look(page, screenshots, "run-charts", theme)
    page.get_by_role("tab", name="artifacts").click()
    expect(page.get_by_text("No artifacts")).to_be_visible()
    page.get_by_role("tab", name="history").click()
    expect(page.locator("[data-records] tr[data-kinds]").first).to_be_visible()
    look(page, screenshots, "run-history", theme)

    page.goto(f"/n/default/compare?runs={','.join(ids)}")
    expect(page.locator(".compare thead th[data-run]")).to_have_count(len(ids))
    charted(page)
    look(page, screenshots, "compare", theme)
    page.goto(
        f"{speedrun_path.removesuffix('runs')}select?o=metrics.train_time+ASC&o=metrics.val_loss+ASC&mode=pareto"
        "&g=tags.record&least=3&x=log"
    )
    expect(page.locator(".answer")).to_have_attribute("data-state", "ready")
    expect(page.locator("[data-dot]").first).to_be_visible()
    look(page, screenshots, "select", theme)

    register(speedrun, ids)
    page.goto("/n/default/models")
    expect(page.locator(f'tr[data-model="{MODEL}"]')).to_be_visible()
    look(page, screenshots, "models", theme)
    page.locator(f'tr[data-model="{MODEL}"]').get_by_role("link").click()
    expect(page.locator("[data-run-link]").first).to_be_visible()
    expect(page.locator("[data-comment]")).to_be_visible()
    look(page, screenshots, "model", theme)
    page.get_by_role("tab", name="requests").click()
    expect(page.locator("[data-request]").first).to_be_visible()
    look(page, screenshots, "requests", theme)
    page.get_by_role("tab", name="history").click()
    expect(page.locator("[data-action]").first).to_be_visible()
    look(page, screenshots, "history", theme)
    page.goto(f"/n/default/models/{MODEL}/1")
    expect(page.locator('[data-metric="val_loss"]')).to_be_visible()
    look(page, screenshots, "version", theme)

    open_runs(page, f"{speedrun_path}?asof={int(time.time() * 1000)}&diff=1")
    charted(page)
    look(page, screenshots, "then", theme)
    page.goto("/n/default/server")
    expect(page.locator("tr[data-partition]").first).to_be_visible()
    look(page, screenshots, "server", theme)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    look(page, screenshots, "keyboard", theme)
