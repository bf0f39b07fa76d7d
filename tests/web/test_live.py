"""Live: what is logged while one looks is seen, rows wait before they move, and a server that was away comes back."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import fleetlog
from playwright.sync_api import Browser, Page, expect

from tests.deploy.processes import running
from tests.ports import free_port
from tests.web.conftest import SECONDS
from tests.web.tables import cell, open_runs, shown_runs


def live_at(page: Page, path: str) -> None:
    open_runs(page, path)
    expect(page.locator("[data-live]")).to_have_attribute("data-live", "open")


def test_points_and_states_come_while_one_looks(page: Page, embedded_target: str, namespace: str) -> None:
    with fleetlog.start_run("live", "going", target=embedded_target, namespace=namespace) as run:
        run.log({"loss": 4.0}, step=0)
        run.flush(level="applied")
        live_at(page, f"/n/{namespace}/runs?live=1")
        plot = page.locator('.card[data-metric="loss"] .plot')
        expect(plot).to_have_attribute("data-points", "1")
        for step in range(1, 30):
            run.log({"loss": 4.0 - step / 10}, step=step)
        run.flush(level="applied")
        expect(cell(page, run.id, "metrics.loss")).to_have_attribute("data-value", re.compile(r"^1\.1"))
        expect(plot).to_have_attribute("data-points", "30")
    expect(cell(page, run.id, "state")).to_have_text("finished")


def test_rows_that_enter_or_go_wait_until_they_are_wanted(
    page: Page, client: fleetlog.Client, embedded_target: str, namespace: str
) -> None:
    with fleetlog.start_run("live", "first", tags={"keep": "yes"}, target=embedded_target, namespace=namespace) as one:
        pass
    fleetlog.flush(level="applied", target=embedded_target)
    live_at(page, f"/n/{namespace}/runs?live=1&q=tags.keep+%3D+'yes'")
    with fleetlog.start_run("live", "second", tags={"keep": "yes"}, target=embedded_target, namespace=namespace) as two:
        pass
    waiting = page.locator("[data-waiting]")
    expect(waiting).to_have_text("1 new: show")
    assert shown_runs(page) == [one.id]
    waiting.click()
    expect(page.locator(f'.row[data-run="{two.id}"]')).to_be_visible()
    expect(waiting).to_have_count(0)
    client.update_run(one.id, tags={"keep": "no"})
    expect(page.locator(".row.gone")).to_have_attribute("data-run", one.id)
    page.locator("[data-waiting]", has_text="1 gone").click()
    expect(page.locator(".row")).to_have_count(1)


def test_the_first_run_of_all_appears_by_itself(page: Page, embedded_target: str, namespace: str) -> None:
    page.goto(f"/n/{namespace}/runs?live=1")
    expect(page.locator("[data-live]")).to_have_attribute("data-live", "open")
    expect(page.locator("[data-code=first-run]")).to_be_visible()
    with fleetlog.start_run("live", "first", target=embedded_target, namespace=namespace) as run:
        run.log({"loss": 1.0}, step=1)
    expect(page.locator(f'.row[data-run="{run.id}"]')).to_be_visible()
    expect(page.locator(".count")).to_have_attribute("data-count", "1")


def test_the_page_of_a_run_that_runs_follows_it(page: Page, embedded_target: str, namespace: str) -> None:
    with fleetlog.start_run("live", "going", target=embedded_target, namespace=namespace) as run:
        run.log({"loss": 4.0}, step=0)
        run.flush(level="applied")
        page.goto(f"/n/{namespace}/runs/{run.id}")
        expect(page.locator(".live-state")).to_have_text("live")
        run.log({"loss": 2.5}, step=1)
        expect(page.locator('[data-metric="loss"] td').first).to_have_attribute("data-value", "2.5")
    expect(page.locator("h1 .badge")).to_have_text("finished")


def test_a_server_that_was_away_is_told_and_then_live_again(browser: Browser, tmp_path: Path) -> None:
    target, port = f"127.0.0.1:{free_port()}", free_port()
    command = ("up", "--data", str(tmp_path / "data"), "--port", target.split(":")[1], "--web-port", str(port))
    # A page whose console may say that nobody answered.
    with browser.new_context(base_url=f"http://127.0.0.1:{port}") as context:
        page = context.new_page()
        page.set_default_timeout(SECONDS * 1000)
        with running(*command) as server:
            with fleetlog.start_run("live", "before", target=target) as before:
                before.flush(level="applied", timeout=100)
            live_at(page, "/n/default/runs?live=1")
            assert server.stop(signal.SIGTERM) == 0
        expect(page.locator("[data-live]")).not_to_have_attribute("data-live", "open")
        with running(*command), fleetlog.start_run("live", "after", target=target) as after:
            after.flush(level="applied", timeout=100)
            expect(page.locator("[data-live]")).to_have_attribute("data-live", "open")
            expect(page.locator("[data-waiting]")).to_have_text("1 new: show")
            page.locator("[data-waiting]").click()
            expect(page.locator(f'.row[data-run="{after.id}"]')).to_be_visible()


def test_seven_live_tabs_leave_a_search_its_way(page: Page, embedded_target: str, namespace: str) -> None:
    for name in ("one", "two"):
        with fleetlog.start_run("tabs", name, target=embedded_target, namespace=namespace):
            pass
    fleetlog.flush(level="applied", target=embedded_target)
    tabs = [page.context.new_page() for _ in range(7)]
    for tab in tabs:
        open_runs(tab, f"/n/{namespace}/runs?live=1&cols=name")
    for tab in tabs:
        expect(tab.locator("[data-live]")).to_have_attribute("data-live", "open")
    open_runs(page, f"/n/{namespace}/runs?cols=name&q=name+%3D+%27two%27")
    expect(page.locator(".count")).to_have_attribute("data-count", "1")
