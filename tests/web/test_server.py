"""The screen of the server: its version, how far its tables are behind its log; and the way between namespaces."""

from __future__ import annotations

import re

import fleetlog
from playwright.sync_api import Page, expect


def test_the_server_tells_its_version_and_how_far_its_tables_are(
    page: Page, embedded_target: str, namespace: str
) -> None:
    page.goto(f"/n/{namespace}/experiments")
    page.get_by_role("navigation").get_by_role("link", name="Server").click()
    screen = page.locator("[data-screen=server]")
    expect(screen).to_contain_text(fleetlog.__version__)
    expect(screen.locator("tr[data-partition=control-0]")).to_be_visible()
    logged = screen.locator("tr[data-partition=events-0] td").nth(1)
    before = logged.inner_text()
    with fleetlog.start_run("server", target=embedded_target, namespace=namespace):
        pass
    fleetlog.flush(level="applied", target=embedded_target)
    expect(logged).not_to_have_text(before)
    expect(screen.locator("[data-behind]")).to_have_text(re.compile(r"\d"))


def test_another_namespace_is_found_by_its_name(page: Page, embedded_target: str, namespace: str) -> None:
    with fleetlog.start_run("here", target=embedded_target, namespace=namespace):
        pass
    fleetlog.flush(level="applied", target=embedded_target)
    page.goto("/n/default/experiments")
    page.get_by_role("button", name="default", exact=True).click()
    page.get_by_label("Search namespaces").fill(namespace[2:].upper())
    expect(page.locator("[data-namespaces]")).to_have_attribute("data-namespaces", "1")
    page.get_by_role("link", name=namespace).click()
    expect(page.locator("tr[data-experiment]").filter(has_text="here")).to_be_visible()
    expect(page.get_by_role("button", name=namespace, exact=True)).to_be_visible()
