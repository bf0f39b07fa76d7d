"""Who hears a page, or has little room, can use it: names and roles as browsers tell them to screen readers."""

from __future__ import annotations

import fleetlog
import pytest
from playwright.sync_api import Page, expect

from tests.web.tables import open_runs

NAMED = {
    "button", "link", "textbox", "searchbox", "checkbox", "combobox", "slider", "tab", "spinbutton", "dialog", "image",
    "grid", "columnheader",
}  # fmt: skip


@pytest.fixture
def run(embedded_target: str, namespace: str) -> str:
    with fleetlog.start_run(
        "access", "one", params={"lr": 0.1}, tags={"team": "a"}, target=embedded_target, namespace=namespace
    ) as run:
        for step in range(5):
            run.log({"loss": 1.0 / (step + 1)}, step=step)
    fleetlog.flush(level="applied", target=embedded_target)
    return run.id


def nameless(page: Page) -> list[str]:
    """Roles of what can be used or looked at and has no name, with what is around it."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    return [
        f"{node['role']['value']} {node.get('properties', [])}"
        for node in nodes
        if not node.get("ignored")
        and node["role"]["value"] in NAMED
        and not node.get("name", {}).get("value", "").strip()
    ]


def test_everything_that_can_be_used_has_a_name(page: Page, run: str, namespace: str) -> None:
    open_runs(page, f"/n/{namespace}/runs")
    expect(page.locator('.card[data-metric="loss"]')).to_have_attribute("data-state", "ready")
    assert nameless(page) == []
    page.get_by_role("button", name="Columns", exact=True).click()
    assert nameless(page) == []
    for path, shown in (
        ("experiments", "tr[data-experiment]"),
        (f"runs/{run}", "[data-section=metrics] tr[data-metric]"),
        (f"runs/{run}?tab=charts", '.card[data-metric="loss"] .plot'),
        (f"runs/{run}?tab=history", "[data-records] tr[data-kinds]"),
        (f"compare?runs={run}", ".compare thead th[data-run]"),
        ("select", ".answer"),
        ("models", "[data-screen=models]"),
        ("server", "tr[data-partition]"),
    ):
        page.goto(f"/n/{namespace}/{path}")
        expect(page.locator(shown).first).to_be_visible()
        assert nameless(page) == [], path


def test_a_table_tells_a_screen_reader_where_it_is(page: Page, run: str, namespace: str) -> None:
    open_runs(page, f"/n/{namespace}/runs")
    grid = page.get_by_role("grid", name="Runs")
    expect(grid).to_have_attribute("aria-rowcount", "2")
    expect(page.locator(f'.row[data-run="{run}"]')).to_have_attribute("aria-rowindex", "2")
    expect(page.get_by_role("img", name="loss: 1 curves between")).to_be_visible()


@pytest.mark.parametrize("width", [1024, 720])
def test_nothing_sticks_out_of_a_narrow_window(page: Page, run: str, namespace: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    for path, shown in ((f"runs/{run}", "[data-section=metrics]"), ("runs", ".grid"), ("experiments", ".list")):
        page.goto(f"/n/{namespace}/{path}")
        expect(page.locator(shown).first).to_be_visible()
        # What is wider scrolls within itself: the page does not.
        page.mouse.move(width / 2, 350)
        page.mouse.wheel(400, 0)
        box = page.locator("header.top").bounding_box()
        assert box is not None
        assert (box["x"], box["width"]) == (0, width)
