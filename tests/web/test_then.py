"""A past moment: the table, a run and its charts as they were, and nothing to edit."""

from __future__ import annotations

import re
import time

import fleetlog
from playwright.sync_api import Page, expect

from tests.waiting import reached
from tests.web.tables import cell, open_runs


def test_what_was_renamed_deleted_and_logged_since_is_as_it_was(
    page: Page, client: fleetlog.Client, embedded_target: str, namespace: str
) -> None:
    with fleetlog.start_run("then", "old name", tags={"team": "a"}, target=embedded_target, namespace=namespace) as run:
        run.log({"loss": 1.0}, step=1)
    fleetlog.flush(level="applied", target=embedded_target)
    moment = int(time.time() * 1000) + 1
    reached(lambda: time.time() * 1000 > moment + 20)
    client.update_run(run.id, name="new name", tags={"team": "b"})
    with fleetlog.start_run(run_id=run.id, resume=True, target=embedded_target, namespace=namespace) as again:
        again.log({"loss": 2.0}, step=2)
    with fleetlog.start_run("then", "another", target=embedded_target, namespace=namespace):
        pass
    fleetlog.flush(level="applied", target=embedded_target)
    client.delete_run(run.id)

    open_runs(page, f"/n/{namespace}/runs?cols=name,tags.team,metrics.loss&asof={moment}")
    expect(page.locator(".count")).to_have_attribute("data-count", "1")
    expect(cell(page, run.id, "name")).to_have_text("old name")
    expect(cell(page, run.id, "tags.team")).to_have_text("a")
    expect(cell(page, run.id, "metrics.loss")).to_have_attribute("data-value", "1")
    chart = page.locator('.card[data-metric="loss"]')
    expect(chart.locator(".plot")).to_have_attribute("data-points", "1")

    cell(page, run.id, "name").get_by_role("link").click()
    expect(page.locator("[data-screen=run]")).to_be_visible()
    assert f"asof={moment}" in page.url
    expect(page.locator("[data-edit=name]")).to_have_text("old name")
    expect(page.locator("[data-edit=name]")).to_be_disabled()
    expect(page.get_by_role("button", name="Delete")).to_be_hidden()
    expect(page.locator("[data-edit=tag]")).to_be_hidden()

    page.go_back()
    page.get_by_text("Back to now").click()
    expect(page.locator(".grid .row .cell[data-column=name]")).to_have_text("another")
    expect(page).not_to_have_url(re.compile("asof"))


def test_a_time_before_the_first_run_has_none(page: Page, embedded_target: str, namespace: str) -> None:
    with fleetlog.start_run("then", "one", target=embedded_target, namespace=namespace):
        pass
    fleetlog.flush(level="applied", target=embedded_target)
    open_runs(page, f"/n/{namespace}/runs")
    page.get_by_role("button", name="As of…").click()
    page.get_by_role("button", name="1 hour earlier").click()
    expect(page.locator(".count")).to_have_attribute("data-count", "0")


def test_what_changed_since_is_marked_and_the_time_line_goes_from_event_to_event(
    page: Page, client: fleetlog.Client, embedded_target: str, namespace: str
) -> None:
    ids = []
    for name in ("stays", "changes", "goes"):
        with fleetlog.start_run("then", name, tags={"team": "a"}, target=embedded_target, namespace=namespace) as run:
            ids.append(run.id)
    fleetlog.flush(level="applied", target=embedded_target)
    moment = int(time.time() * 1000) + 1
    reached(lambda: time.time() * 1000 > moment + 20)
    client.update_run(ids[1], tags={"team": "b"})
    client.delete_run(ids[2])
    open_runs(page, f"/n/{namespace}/runs?cols=name,tags.team&asof={moment}")
    page.get_by_role("button", name="What changed").click()
    changed = cell(page, ids[1], "tags.team")
    expect(changed).to_have_attribute("data-differs", "true")
    expect(changed).to_have_attribute("title", "then a, now b")
    expect(page.locator("[data-differs]")).to_have_count(1)
    expect(page.locator(".row.gone")).to_have_attribute("data-run", ids[2])
    expect(page.locator(".time-line")).to_have_attribute("data-moments", re.compile("[4-6]"))
    page.keyboard.press(",")
    expect(page).not_to_have_url(re.compile(f"asof={moment}"))
    page.get_by_label("moment", exact=True).fill("0")
    expect(page.locator(".count")).to_have_attribute("data-count", "0")


def test_experiments_files_and_keys_are_those_of_then(
    page: Page, client: fleetlog.Client, embedded_target: str, namespace: str
) -> None:
    run = fleetlog.start_run("old", "one", tags={"team": "a"}, target=embedded_target, namespace=namespace)
    run.log_text("first words", "a.txt")
    run.flush(level="applied")
    moment = int(time.time() * 1000) + 1
    reached(lambda: time.time() * 1000 > moment + 20)
    run.log_text("second words", "a.txt")
    run.log_text("more", "b.txt")
    run.set_tags({"later": "yes"})
    run.finish()
    client.update_experiment(client.get_experiment("old").id, name="new")
    with fleetlog.start_run("new", "two", target=embedded_target, namespace=namespace):
        pass
    fleetlog.flush(level="applied", target=embedded_target)

    page.goto(f"/n/{namespace}/experiments?asof={moment}")
    row = page.locator("tr[data-experiment]").filter(has_text="old")
    expect(row.locator("td").nth(1)).to_have_text("1")
    expect(page.get_by_text("new", exact=True)).to_have_count(0)
    row.get_by_role("link").click()
    expect(page.locator(".count")).to_have_attribute("data-count", "1")
    expect(page.locator(".bar h1")).to_contain_text("old")
    page.get_by_role("button", name="Columns", exact=True).click()
    expect(page.get_by_text("team", exact=True).first).to_be_visible()
    expect(page.get_by_text("later", exact=True)).to_have_count(0)
    page.keyboard.press("Escape")

    page.goto(f"/n/{namespace}/runs/{run.id}?tab=artifacts&asof={moment}")
    expect(page.locator(".files button")).to_have_text(re.compile("a.txt"))
    expect(page.locator(".preview pre")).to_have_text("first words")
    page.get_by_role("tab", name="history").click()
    expect(page.locator("[data-records] tr[data-kinds]").first).to_be_visible()
    expect(page.locator("[data-records]")).not_to_contain_text("later")
    expect(page.get_by_role("button", name="look back")).to_have_count(0)
    page.get_by_role("tab", name="artifacts").click()
    page.get_by_text("Back to now").click()
    expect(page.locator(".files button")).to_have_count(2)
    expect(page.locator(".preview pre")).to_have_text("second words")
