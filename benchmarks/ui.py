"""What a person waits for in the web UI: over 100,000 runs, and with 100 curves of 1,000 buckets. Needs Chromium.

Times are of the page's own clock, from the start of a navigation or of a click to the frame in which it is seen.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator

import fleetlog
from playwright.sync_api import Page, sync_playwright

from benchmarks.figure import Figure, quantile
from benchmarks.searches import EXPERIMENT, load
from benchmarks.server import running

RUNS = 100_000
CURVES, POINTS = 100, 20_000
TRIES = 9
SCROLLED = 10_000
_WAIT_MILLIS = 120_000
_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
_DRAWN = "() => performance.getEntriesByName('fleetlog-drawn')[0]?.startTime ?? 0"
_HEAP = "() => performance.memory.usedJSHeapSize"
_REDRAW = """() => new Promise((done) => {
  const button = [...document.querySelectorAll('button')].find((each) => each.textContent === 'log y');
  const begun = performance.now();
  button.click();
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun)));
})"""
_SCROLL = """(top) => new Promise((done) => {
  const begun = performance.now();
  document.querySelector('.grid').scrollTop = top;
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun)));
})"""


def measure() -> Iterator[Figure]:
    """On a server of its own."""
    browser_path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    with running() as server, sync_playwright() as playwright:
        client = fleetlog.Client(server.target)
        for _ in load(client, RUNS):
            pass
        _log_curves(server.target)
        client.flush(timeout=600, level="applied")
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        # The pages' own policy lets nobody look into them by a script, this one among others.
        page = browser.new_page(base_url=server.web, viewport={"width": 1440, "height": 860}, bypass_csp=True)
        page.set_default_timeout(_WAIT_MILLIS)
        yield from _table(page, client)
        yield from _charts(page, client)
        browser.close()


def _log_curves(target: str) -> None:
    steps = list(range(POINTS))
    for number in range(CURVES):
        with fleetlog.start_run("curves", f"curve {number}", target=target) as run:
            run.log_series("loss", steps=steps, values=[number + (step % 97) / 97 for step in steps])


def _table(page: Page, client: fleetlog.Client) -> Iterator[Figure]:
    path = f"/n/default/e/{client.get_experiment(EXPERIMENT).id}/runs?runs=none&o=metrics.metric_3"
    paints, drawn, rows, searches = [], [], [], []
    for _ in range(TRIES):
        begun = time.perf_counter()
        client.search_runs(experiments=[EXPERIMENT], order_by=["metrics.metric_3"], limit=200)
        searches.append((time.perf_counter() - begun) * 1e3)
        begun = time.perf_counter()
        page.goto(path)
        page.wait_for_selector(".grid[data-state=ready]")
        rows.append((time.perf_counter() - begun) * 1e3)
        paints.append(float(page.evaluate(_PAINT)))
        drawn.append(float(page.evaluate(_DRAWN)))
    size = f"{RUNS:,} runs, p50 of {TRIES}"
    yield Figure("first paint", quantile(paints, 0.5), "ms", 400, True, size)
    yield Figure("the screen without its data", quantile(drawn, 0.5), "ms", 400, True, f"{size}; drawn by the script")
    search = quantile(searches, 0.5)
    detail = f"{size}; the same search by the client {search:.0f} ms"
    yield Figure("first rows of an ordered table", quantile(rows, 0.5), "ms", detail=detail)
    height, frames = 28, []
    for top in range(0, SCROLLED * height, 10 * height):
        frames.append(float(page.evaluate(_SCROLL, top)))
    yield Figure("a step of scrolling, p95", quantile(frames, 0.95), "ms", 33, True, f"{SCROLLED:,} rows, ten a step")
    yield Figure("rows in the document", page.locator(".grid .row").count(), "rows", 50, True, "after that")
    yield Figure("heap of the page", float(page.evaluate(_HEAP)) / 1e6, "MB", 150, True, "after that")


def _charts(page: Page, client: fleetlog.Client) -> Iterator[Figure]:
    path = f"/n/default/e/{client.get_experiment('curves').id}/runs?runs=first:100&c=loss"
    page.goto(path)
    card = page.locator('.card[data-metric="loss"][data-state=ready]')
    card.wait_for()
    points = int(card.locator(".plot").get_attribute("data-points") or 0)
    redraws = [float(page.evaluate(_REDRAW)) for _ in range(2 * TRIES)]
    detail = f"{CURVES} curves, {points:,} buckets; p50 of {2 * TRIES}"
    yield Figure("charts drawn anew, from the click", quantile(redraws, 0.5), "ms", 33, True, detail)
