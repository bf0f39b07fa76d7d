"""What a person sees in the table of runs."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect


def open_runs(page: Page, path: str) -> Locator:
    """The table at a path, once it shows what the path asks for."""
    page.goto(path)
    table = page.locator(".grid")
    expect(table).to_have_attribute("data-state", "ready")
    return table


def ready(page: Page) -> Locator:
    """The table, once it shows what the address asks for."""
    table = page.locator(".grid")
    expect(table).to_have_attribute("data-state", "ready")
    return table


def shown_runs(page: Page) -> list[str]:
    """Ids of the rows that exist, from top to bottom."""
    rows = page.locator(".grid .row")
    found = [(int(row.get_attribute("aria-rowindex") or 0), row.get_attribute("data-run") or "") for row in rows.all()]
    return [run for _, run in sorted(found)]


def cell(page: Page, run: str, column: str) -> Locator:
    """A cell."""
    return page.locator(f'.grid .row[data-run="{run}"] .cell[data-column="{column}"]')


def head(page: Page, column: str) -> Locator:
    """The button at the head of a column."""
    return page.locator(f'.grid-head .cell[data-column="{column}"] button')
