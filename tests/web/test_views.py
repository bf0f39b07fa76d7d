"""Saved views: names that everybody in a namespace finds."""

from __future__ import annotations

import fleetlog
from playwright.sync_api import Page, expect

from tests.web.tables import open_runs, ready


def test_a_view_is_saved_found_by_another_browser_replaced_and_deleted(
    page: Page, embedded_target: str, namespace: str
) -> None:
    for name in ("one", "two"):
        with fleetlog.start_run("views", name, target=embedded_target, namespace=namespace):
            pass
    fleetlog.flush(level="applied", target=embedded_target)
    open_runs(page, f"/n/{namespace}/runs?q=name+%3D+%27one%27&cols=name")
    page.get_by_role("button", name="Views").click()
    page.get_by_label("Name of the view").fill("just one")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator('[data-view="just one"]')).to_be_visible()
    browser = page.context.browser
    assert browser is not None
    with browser.new_context(base_url=page.url.split("/n/")[0]) as other:
        elsewhere = other.new_page()
        open_runs(elsewhere, f"/n/{namespace}/runs")
        expect(elsewhere.locator(".count")).to_have_attribute("data-count", "2")
        elsewhere.get_by_role("button", name="Views").click()
        elsewhere.locator('[data-view="just one"]').get_by_role("button", name="just one", exact=True).click()
        ready(elsewhere)
        expect(elsewhere.locator(".count")).to_have_attribute("data-count", "1")
    page.get_by_label("Name of the view").fill("just one")
    expect(page.get_by_role("button", name="Replace")).to_be_enabled()
    page.get_by_role("button", name="Replace").click()
    page.get_by_label("delete view just one").click()
    expect(page.locator("[data-view]")).to_have_count(0)
