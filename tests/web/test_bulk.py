"""Runs that are selected in the table, changed together."""

from __future__ import annotations

from pathlib import Path

import fleetlog
import pytest
from playwright.sync_api import Page, expect

from tests.web.pictures import look
from tests.web.tables import cell, open_runs, ready, shown_runs

RUNS = 450
"""More than two pages of the table."""


@pytest.fixture
def names(client: fleetlog.Client) -> list[str]:
    """Names of the runs of the experiment `sweep`: r000, r001, …"""
    names = [f"r{place:03}" for place in range(RUNS)]
    client.import_runs({"name": names, "metrics.loss": [place / RUNS for place in range(RUNS)]}, "sweep")
    return names


def path_of(client: fleetlog.Client, search: str = "") -> str:
    """Path of the table, by name."""
    number = client.get_experiment("sweep").id
    return f"/n/{client.namespace}/e/{number}/runs?o=name&cols=name,tags.verdict,metrics.loss{search}"


def select(page: Page, places: range) -> list[str]:
    """The ids of rows that are ticked, from one to another with Shift."""
    ids = [shown_runs(page)[place] for place in places]
    page.locator(f'.row[data-run="{ids[0]}"] .tick').click()
    page.locator(f'.row[data-run="{ids[-1]}"] .tick').click(modifiers=["Shift"])
    expect(page.locator(".selection")).to_have_attribute("data-selected", str(len(ids)))
    return ids


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_selected_runs_are_tagged_and_a_tag_is_removed(
    page: Page, client: fleetlog.Client, names: list[str], theme: str, screenshots: Path | None
) -> None:
    open_runs(page, path_of(client))
    ids = select(page, range(2, 6))
    page.get_by_role("button", name="Tag…").click()
    page.get_by_label("Key", exact=True).fill("verdict")
    page.get_by_label("Value", exact=True).fill("good, but slow")
    look(page, screenshots, "bulk-tag", theme)
    page.get_by_role("button", name="Set the tag").click()
    for run in ids:
        expect(cell(page, run, "tags.verdict")).to_have_attribute("data-value", "good, but slow")
    found = client.search_runs("tags.verdict = 'good, but slow'", limit=None)
    assert {run.id for run in found} == set(ids)
    page.get_by_role("button", name="Tag…").click()
    page.get_by_label("Key", exact=True).fill("verdict")
    page.get_by_label("remove it instead").check()
    page.get_by_role("button", name="Remove the tag").click()
    expect(cell(page, ids[0], "tags.verdict")).to_have_attribute("data-value", "")
    assert len(client.search_runs("tags.verdict IS NOT NULL")) == 0


def test_all_that_match_are_deleted_restored_and_told(
    page: Page, client: fleetlog.Client, names: list[str], screenshots: Path | None
) -> None:
    open_runs(page, path_of(client, "&q=metrics.loss+<+0.6"))
    matching = client.search_runs("metrics.loss < 0.6", total="exact").total
    assert matching is not None
    select(page, range(2))
    page.get_by_role("button", name=f"all {matching} that match").click()
    expect(page.locator(".selection")).to_have_attribute("data-selected", str(matching))
    page.get_by_role("button", name="Delete…").click()
    expect(page.get_by_role("heading", name=f"Delete {matching} runs?")).to_be_visible()
    look(page, screenshots, "bulk-delete", "light")
    page.get_by_role("button", name=f"Delete {matching} runs", exact=True).click()
    expect(page.locator("[data-undo]")).to_have_attribute("data-undo", str(matching))
    expect(page.get_by_text("No run matches")).to_be_visible()
    assert client.search_runs(total="exact").total == RUNS - matching
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".count")).to_have_attribute("data-count", str(matching))
    assert client.search_runs(total="exact").total == RUNS


def test_deleted_runs_are_found_and_restored(page: Page, client: fleetlog.Client, names: list[str]) -> None:
    ids = [run.id for run in client.search_runs(order_by=["name"], limit=3)]
    client.update_runs(ids, deleted=True)
    open_runs(page, path_of(client))
    expect(page.locator(".count")).to_have_attribute("data-count", str(RUNS - 3))
    page.get_by_role("button", name="Deleted", exact=True).click()
    expect(page.locator(".count")).to_have_attribute("data-count", "3")
    ready(page)
    assert "deleted=1" in page.url
    assert shown_runs(page) == ids
    page.locator(f'.row[data-run="{ids[1]}"] .tick').click()
    page.get_by_role("button", name="Restore").click()
    expect(page.locator(".count")).to_have_attribute("data-count", "2")
    page.go_back()
    expect(page.locator(".count")).to_have_attribute("data-count", str(RUNS - 2))
    expect(page.locator(f'.row[data-run="{ids[1]}"]')).to_be_visible()


def test_a_change_that_is_refused_is_told_and_changes_nothing(
    page: Page, client: fleetlog.Client, names: list[str]
) -> None:
    open_runs(page, path_of(client))
    ids = select(page, range(2))
    page.get_by_role("button", name="Tag…").click()
    page.get_by_label("Key", exact=True).fill("a//b")
    page.get_by_role("button", name="Set the tag").click()
    expect(page.get_by_role("alert")).to_contain_text("a//b")
    assert all(not run.tags for run in client.get_runs(ids))


def test_nothing_of_the_past_can_be_changed(page: Page, client: fleetlog.Client, names: list[str]) -> None:
    open_runs(page, path_of(client))
    select(page, range(2))
    expect(page.get_by_role("button", name="Delete…")).to_be_visible()
    page.get_by_role("button", name="As of…").click()
    ready(page)
    expect(page.locator(".selection")).to_be_visible()
    expect(page.get_by_role("button", name="Delete…")).to_have_count(0)
    expect(page.get_by_role("button", name="Tag…")).to_have_count(0)
