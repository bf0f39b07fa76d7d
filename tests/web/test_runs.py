"""The table of runs, its filter and its address, over the real runs of the example."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import fleetlog
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.conftest import COUNT, SPEEDRUN
from tests.web.tables import cell, head, open_runs, ready, shown_runs

FILTER = "metrics.val_loss < 3.28"


def test_the_table_has_the_runs_of_the_client_in_its_order_with_its_values(
    page: Page, speedrun: fleetlog.Client, speedrun_path: str
) -> None:
    open_runs(page, speedrun_path)
    expected = speedrun.search_runs(experiments=[SPEEDRUN], limit=20)
    expect(page.locator(".count")).to_have_attribute("data-count", str(COUNT))
    assert shown_runs(page)[:20] == [run.id for run in expected]
    for run in expected[:10]:
        value = cell(page, run.id, "metrics.step_avg").get_attribute("data-value")
        assert value is not None
        assert float(value) == run.metrics["step_avg"]
        expect(cell(page, run.id, "name")).to_have_text(run.name)


def test_the_end_of_the_table_is_reached_and_few_rows_exist(page: Page, speedrun_path: str) -> None:
    table = open_runs(page, speedrun_path)
    table.focus()
    page.keyboard.press("End")
    expect(table).to_have_attribute("data-loaded", str(COUNT))
    page.keyboard.press("End")
    expect(page.locator(f'.grid .row[aria-rowindex="{COUNT + 1}"]')).to_be_visible()
    assert page.locator(".grid .row").count() <= 860 // 28 + 20


def test_a_click_on_a_head_orders_by_it_and_back_undoes_it(
    page: Page, speedrun: fleetlog.Client, speedrun_path: str
) -> None:
    open_runs(page, speedrun_path)
    before = shown_runs(page)[:5]
    head(page, "metrics.val_loss").click()
    best = speedrun.search_runs(experiments=[SPEEDRUN], order_by=["metrics.val_loss"], limit=5)
    expect(page.locator(f'.grid .row[data-run="{best[0].id}"][aria-rowindex="2"]')).to_be_visible()
    ready(page)
    assert shown_runs(page)[:5] == [run.id for run in best]
    assert "o=metrics.val_loss" in page.url
    page.go_back()
    expect(page.locator(f'.grid .row[data-run="{before[0]}"][aria-rowindex="2"]')).to_be_visible()


def test_a_filter_is_completed_refused_where_it_is_wrong_and_mended(
    page: Page, speedrun: fleetlog.Client, speedrun_path: str
) -> None:
    open_runs(page, speedrun_path)
    before = shown_runs(page)[:5]
    page.keyboard.press("/")
    page.keyboard.type("metrics.val_l")
    expect(page.locator(".offers li").first).to_contain_text("val_loss")
    page.keyboard.press("Tab")
    page.keyboard.type(" < oops < 1")
    expect(page.locator(".filterbar")).to_have_attribute("data-state", "wrong")
    error = page.locator(".filter-error")
    expect(error).to_be_visible()
    caret = error.locator("pre").inner_text().rstrip("\n")
    assert caret.endswith("^")
    page.keyboard.press("Enter")
    assert shown_runs(page)[:5] == before, "a filter that is wrong searches nothing"
    assert "q=" not in page.url
    page.get_by_label("Filter", exact=True).fill(FILTER)
    page.keyboard.press("Enter")
    found = speedrun.search_runs(FILTER, experiments=[SPEEDRUN], total="exact")
    expect(page.locator(".count")).to_have_attribute("data-count", str(found.total))
    assert shown_runs(page)[:5] == [run.id for run in found[:5]]


def test_chips_say_what_the_text_says_and_one_is_removed(page: Page, speedrun_path: str) -> None:
    open_runs(page, f"{speedrun_path}?q=metrics.val_loss+%3C+3.28+AND+state+=+'FINISHED'")
    chips = page.locator(".chip > button:first-child")
    expect(chips).to_have_text(["metrics.val_loss < 3.28", "state = 'FINISHED'"])
    page.get_by_label("remove metrics.val_loss < 3.28").click()
    expect(chips).to_have_text(["state = 'FINISHED'"])
    expect(page.locator(".count")).to_have_attribute("data-count", re.compile(r"^\d+$"))
    page.go_back()
    expect(chips).to_have_count(2)


def test_a_filter_that_nothing_matches_says_so(page: Page, speedrun_path: str) -> None:
    page.goto(f"{speedrun_path}?q=metrics.val_loss+%3C+0")
    expect(page.get_by_text("No run matches")).to_be_visible()
    page.get_by_text("Clear the filter").click()
    expect(page.locator(".count")).to_have_attribute("data-count", str(COUNT))


def test_columns_are_chosen_and_a_second_browser_shows_the_same(
    page: Page, browser: Browser, address: str, speedrun_path: str
) -> None:
    open_runs(page, speedrun_path)
    page.get_by_role("button", name="Columns", exact=True).click()
    page.get_by_label("Search columns").fill("run_id")
    page.locator(".chooser li label").first.click()
    expect(head(page, "run_id")).to_be_attached()
    page.get_by_label("Search columns").fill("")
    page.locator('[data-shown="metrics.val_loss"] select').select_option("min")
    expect(head(page, "metrics.val_loss@min")).to_be_attached()
    ready(page)
    names = [each.get_attribute("data-column") for each in page.locator(".grid-head .head").all()]
    with browser.new_context(base_url=address) as other:
        second = other.new_page()
        second.goto(page.url)
        expect(second.locator(".grid")).to_have_attribute("data-state", "ready", timeout=60_000)
        assert [each.get_attribute("data-column") for each in second.locator(".grid-head .head").all()] == names


def test_a_view_as_code_gives_the_rows_of_the_table(
    page: Page, speedrun_path: str, embedded_target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_runs(page, f"{speedrun_path}?q=metrics.val_loss+%3C+3.28&o=metrics.val_loss&o=start_time+DESC")
    shown = shown_runs(page)[:20]
    monkeypatch.setenv("FLEETLOG_TARGET", embedded_target)
    page.get_by_role("button", name="Code", exact=True).click()
    told = {each: page.locator(f'[data-code="{each}"]').inner_text() for each in ("Python", "Command line", "curl")}
    names: dict[str, Any] = {}
    exec(compile(told["Python"], "python", "exec"), names)
    assert [run.id for run in names["runs"][:20]] == shown
    words = shlex.split(told["Command line"])
    command = [str(Path(sys.executable).with_name(words[0])), *words[1:3], "--json", *words[3:]]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert all(run in out for run in shown)
    out = subprocess.run(["bash", "-c", told["curl"]], check=True, capture_output=True, text=True).stdout
    assert [run["runId"] for run in json.loads(out)["runs"]][:20] == shown


def test_a_baseline_shows_differences_and_which_way_is_good(page: Page, speedrun_path: str) -> None:
    open_runs(page, f"{speedrun_path}?o=metrics.val_loss&cols=name,metrics.val_loss")
    best, second = shown_runs(page)[:2]
    page.locator(".grid").focus()
    page.keyboard.press("b")
    expect(page.locator(f'.row[data-run="{best}"]')).to_have_class(re.compile("baseline"))
    better = float(cell(page, best, "metrics.val_loss").get_attribute("data-value") or "nan")
    worse = float(cell(page, second, "metrics.val_loss").get_attribute("data-value") or "nan")
    difference = cell(page, second, "metrics.val_loss").locator("small")
    assert worse > better
    expect(difference).to_have_class("bad")
    expect(difference).to_have_text(re.compile(r"^\+"))


def test_by_keyboard_alone_runs_are_found_selected_compared_and_opened(page: Page, speedrun_path: str) -> None:
    open_runs(page, speedrun_path)
    ids = shown_runs(page)[:3]
    page.keyboard.press("j")
    for _ in range(3):
        page.keyboard.press("x")
        page.keyboard.press("j")
    expect(page.locator(".selection")).to_contain_text("3 selected")
    page.keyboard.press("c")
    expect(page.locator("[data-screen=compare]")).to_be_visible()
    shown = page.locator(".compare thead th[data-run]")
    expect(shown).to_have_count(3)
    assert [each.get_attribute("data-run") for each in shown.all()] == ids
    page.go_back()
    ready(page)
    page.locator(".grid").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-screen=run]")).to_have_attribute("data-run", ids[0])


def test_experiments_are_listed_with_their_runs_and_lead_to_them(
    page: Page, speedrun: fleetlog.Client, speedrun_path: str
) -> None:
    page.goto("/")
    row = page.locator("tr[data-experiment]").filter(has_text=SPEEDRUN)
    expect(row).to_contain_text(str(COUNT))
    row.get_by_role("link", name=SPEEDRUN).click()
    expect(page.locator(".count")).to_have_attribute("data-count", str(COUNT))
    assert page.url.endswith(speedrun_path)


def test_a_server_without_runs_says_how_to_make_one_and_the_code_works(
    page: Page, client: fleetlog.Client, namespace: str, embedded_target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.goto(f"/n/{namespace}/runs")
    code = page.locator("[data-code=first-run]")
    expect(code).to_be_visible()
    monkeypatch.setenv("FLEETLOG_TARGET", embedded_target)
    monkeypatch.setenv("FLEETLOG_NAMESPACE", namespace)
    exec(compile(code.inner_text(), "first-run", "exec"), {})
    fleetlog.flush()
    assert len(client.search_runs()) == 1
    open_runs(page, f"/n/{namespace}/runs")
    expect(page.locator(".count")).to_have_attribute("data-count", "1")


def test_a_namespace_experiment_and_run_that_are_not_there_are_told_alike(page: Page, namespace: str) -> None:
    for path in ("/e/4000/runs", f"/runs/{'0' * 32}"):
        page.goto(f"/n/{namespace}{path}")
        expect(page.get_by_role("alert")).to_contain_text("Not found")
    page.goto(f"/n/{namespace}/nowhere")
    expect(page.get_by_text("Nothing is at this address")).to_be_visible()


def test_what_runs_carry_is_text_and_acts_on_nothing(
    page: Page, client: fleetlog.Client, namespace: str, embedded_target: str
) -> None:
    hostile = "<img src=x onerror=\"document.title='reached'\"><script>document.title='reached'</script>"
    with fleetlog.start_run(
        "odd", hostile, tags={"note": f"{hostile} [click](javascript:alert(1))", hostile: hostile},
        params={hostile: hostile}, target=embedded_target, namespace=namespace,
    ) as run:  # fmt: skip
        run.log({"loss \u202e odd": 1.0}, step=1)
    fleetlog.flush()
    open_runs(page, f"/n/{namespace}/runs")
    expect(cell(page, run.id, "name")).to_have_text(hostile)
    page.goto(f"/n/{namespace}/runs/{run.id}")
    expect(page.locator("[data-note]")).to_contain_text("<img")
    expect(page.locator("[data-note] a")).to_have_count(0)
    assert "reached" not in page.title()


def test_the_theme_is_the_systems_until_it_is_chosen_and_then_kept(page: Page, namespace: str) -> None:
    page.goto(f"/n/{namespace}/experiments")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    page.locator("[data-theme-switch]").click()
    expect(root).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(root).to_have_attribute("data-theme", "dark")
