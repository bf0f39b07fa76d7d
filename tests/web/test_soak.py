"""A page that is used for long over many runs, keys and odd names: it answers, and its memory stays what it was.

FLEETLOG_SOAK_MINUTES: how long it is used, over 100,000 runs; without it for some rounds over a few thousand.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import fleetlog
import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.web.tables import head, open_runs, ready

MINUTES = float(os.environ.get("FLEETLOG_SOAK_MINUTES", "0"))
RUNS = 100_000 if MINUTES else 3_000
AT_ONCE = 10_000
METRICS, METRICS_AT_ONCE = 5_000, 500
ROUNDS = 6
"""Rounds of use when no time is said."""
SHARE = 1.2
"""Heap of the last rounds over that of the first ones at most."""
NAMES = ("a" * 250, "تجربة " * 40, "\N{RIGHT-TO-LEFT OVERRIDE}txt.exe", "<script>alert(1)</script>", "😀" * 100)


@pytest.fixture
def fleet(client: fleetlog.Client) -> str:
    """The experiment: many runs, some with names that are odd, and more metrics than a table has columns."""
    for first in range(0, RUNS, AT_ONCE):
        count = min(AT_ONCE, RUNS - first)
        table = {
            "name": [NAMES[place // 50 % len(NAMES)] if place % 50 == 0 else f"run {place}" for place in range(count)],
            "params.lr": [10 ** -(place % 9) for place in range(count)],
            "metrics.loss": [float(place % 977) for place in range(count)],
        }
        client.import_runs(table, "soak")
    for first in range(0, METRICS, METRICS_AT_ONCE):
        names = range(first, first + METRICS_AT_ONCE)
        client.import_runs({f"metrics.layer/{number:04}/norm": [1.0, 2.0] for number in names}, "soak")
    return "soak"


def rounds() -> Iterator[int]:
    """Numbers of rounds, for as long as is said."""
    until, number = time.monotonic() + MINUTES * 60, 0
    while number < ROUNDS or time.monotonic() < until:
        yield number
        number += 1


def heap(session: CDPSession) -> float:
    """Megabytes of the page's heap that something holds on to."""
    session.send("HeapProfiler.collectGarbage")
    told = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    return float(told["JSHeapUsedSize"]) / 1e6


def use(page: Page) -> None:
    """What a person does: scroll, order, filter, look at keys, open a run and come back."""
    table = ready(page)
    table.focus()
    page.keyboard.press("End")
    page.keyboard.press("Home")
    head(page, "metrics.loss").click()
    ready(page)
    page.get_by_role("button", name="Columns", exact=True).click()
    page.get_by_label("Search columns").fill("layer/49")
    expect(page.locator(".chooser li").first).to_contain_text("layer/49")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Facets", exact=True).click()
    page.get_by_label("Search facets").fill("params.lr")
    page.locator('[data-facet="params.lr"] .facet-name').click()
    expect(page.locator('[data-facet="params.lr"] .facet')).to_have_attribute("data-state", "ready")
    page.keyboard.press("Escape")
    ready(page).focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-screen=run]")).to_be_visible()
    page.go_back()
    ready(page)
    page.go_back()
    ready(page)


def test_memory_stays_what_it_was_however_long_a_page_is_used(page: Page, client: fleetlog.Client, fleet: str) -> None:
    number = client.get_experiment(fleet).id
    open_runs(page, f"/n/{client.namespace}/e/{number}/runs?cols=name,metrics.loss,params.lr&runs=first:20")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    heaps = []
    for _ in rounds():
        use(page)
        heaps.append(heap(session))
    third = len(heaps) // 3
    first, last = min(heaps[1 : 1 + third]), min(heaps[-third:])
    assert last <= first * SHARE, heaps
    assert page.locator(".grid .row").count() <= 860 // 28 + 20


def test_odd_names_are_shown_as_they_are_and_act_on_nothing(page: Page, client: fleetlog.Client, fleet: str) -> None:
    number = client.get_experiment(fleet).id
    for name in NAMES:
        open_runs(page, f"/n/{client.namespace}/e/{number}/runs?cols=name&o=name&runs=none")
        (run,) = client.search_runs(f"name = {quoted(name)}", limit=1)
        page.get_by_label("Filter", exact=True).fill(f"run_id = '{run.id}'")
        page.keyboard.press("Enter")
        expect(page.locator(".count")).to_have_attribute("data-count", "1")
        expect(page.locator(f'.row[data-run="{run.id}"] [data-column="name"]')).to_have_text(name.strip())


def quoted(text: str) -> str:
    """A text as filters take it."""
    return "'" + text.replace("'", "''") + "'"
