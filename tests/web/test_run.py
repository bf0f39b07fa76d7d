"""The page of one run, its edits and its artifacts; runs side by side."""

from __future__ import annotations

import re
from pathlib import Path

import fleetlog
import pytest
from playwright.sync_api import Page, expect

from tests.waiting import reached
from tests.web.pictures import look

CANARY = "document.title = 'reached'"
HOSTILE = {
    "page.html": f"<!doctype html><h1>a page</h1><script>{CANARY}; parent.{CANARY}</script>"
    f'<img src=x onerror="parent.{CANARY}">',
    "drawing.svg": f'<svg xmlns="http://www.w3.org/2000/svg" onload="parent.{CANARY}"><script>{CANARY}</script></svg>',
    "note.md": f'# heading\n\n<img src=x onerror="{CANARY}"> **bold** [link](javascript:{CANARY})',
    "table.csv": 'name,value\n"a ""quoted"" one",=1+1\n',
    "data.json": '{"a": [1, 2]}',
    "empty.txt": "",
}


@pytest.fixture
def run(client: fleetlog.Client, embedded_target: str, namespace: str, tmp_path: Path) -> str:
    """The id of a run that has everything."""
    with fleetlog.start_run(
        "one", "first name", params={"lr": 0.25, "depth": 12, "kind": "gpt"},
        tags={"team": "a", "note": "**bold** words"},
        target=embedded_target, namespace=namespace,
    ) as run:  # fmt: skip
        for step in range(20):
            run.log({"loss": 4 - step / 10}, step=step)
        run.log_input("fineweb10B", "training", digest="8f2c")
        for name, text in HOSTILE.items():
            path = tmp_path / name
            path.write_text(text)
            run.log_artifact(str(path))
    fleetlog.flush(level="applied", target=embedded_target)
    return run.id


def test_the_overview_has_what_the_run_was_told_and_reached(page: Page, run: str, namespace: str) -> None:
    page.goto(f"/n/{namespace}/runs/{run}")
    screen = page.locator("[data-screen=run]")
    for text in ("first name", "finished", "0.25", "gpt", "fineweb10B", "8f2c"):
        expect(screen).to_contain_text(text)
    expect(page.locator('[data-metric="loss"] td').first).to_have_attribute("data-value", "2.1")
    expect(page.locator("[data-note] strong")).to_have_text("bold")


def test_each_writer_is_shown_with_its_state_and_what_is_missing(
    page: Page, client: fleetlog.Client, namespace: str, embedded_target: str, screenshots: Path | None
) -> None:
    run = fleetlog.start_run("ranks", "two ranks", rank=0, target=embedded_target, namespace=namespace)
    with fleetlog.start_run("ranks", run_id=run.id, rank=1, target=embedded_target, namespace=namespace) as other:
        for writer in (run, other):
            writer.log({"loss": 1.0}, step=1)
    fleetlog.flush(level="applied", target=embedded_target)
    page.goto(f"/n/{namespace}/runs/{run.id}")
    rows = page.locator('[data-section="writers"] tr[data-writer]')
    expect(rows).to_have_count(2)
    for one in client.writers(run.id):
        row = page.locator(f'tr[data-writer="{one.id}"]')
        expect(row.locator("th")).to_have_text(str(one.rank))
        expect(row.locator("td").nth(0)).to_have_text({"AT_WORK": "at work", "ENDED": "ended"}[one.state or ""])
        expect(row.locator("td").nth(2)).to_have_text(str(one.last_sequence))
        expect(row.locator("td").nth(3)).to_have_text("0")
    look(page, screenshots, "writers", "light")
    run.finish()
    expect(rows.filter(has_text="ended")).to_have_count(2)


def test_the_page_as_code_reads_the_run(
    page: Page, run: str, namespace: str, embedded_target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.goto(f"/n/{namespace}/runs/{run}")
    page.get_by_role("button", name="Code").click()
    code = page.locator('[data-code="Python"]').inner_text()
    monkeypatch.setenv("FLEETLOG_TARGET", embedded_target)
    names: dict[str, fleetlog.RunView] = {}
    exec(compile(code, "code", "exec"), names)
    assert names["run"].id == run


def test_name_tags_and_note_are_edited_and_the_client_sees_it(
    page: Page, client: fleetlog.Client, run: str, namespace: str
) -> None:
    page.goto(f"/n/{namespace}/runs/{run}")
    page.locator("[data-edit=name]").click()
    page.get_by_label("Name of the run").fill("second name")
    page.keyboard.press("Enter")
    reached(lambda: client.get_run(run).name == "second name")
    page.locator("[data-edit=tag]").click()
    page.get_by_label("key of the new tag").fill("kept")
    page.get_by_label("value of the new tag").fill("yes")
    page.keyboard.press("Enter")
    expect(page.locator('[data-tag="kept"]')).to_be_visible()
    page.get_by_label("remove tag team").click()
    expect(page.locator('[data-tag="team"]')).to_have_count(0)
    page.locator("[data-edit=note]").click()
    page.get_by_label("Note in Markdown").fill("a *new* note")
    page.get_by_text("Save note").click()
    expect(page.locator("[data-note] em")).to_have_text("new")
    reached(lambda: dict(client.get_run(run).tags) == {"kept": "yes", "note": "a *new* note"})
    page.reload()
    expect(page.locator("[data-edit=name]")).to_have_text("second name")


def test_an_edit_that_is_refused_is_told_and_taken_back(page: Page, run: str, namespace: str) -> None:
    page.goto(f"/n/{namespace}/runs/{run}")
    page.locator("[data-edit=tag]").click()
    page.get_by_label("key of the new tag").fill("k" * 251)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Not changed")
    expect(page.locator(f'[data-tag="{"k" * 251}"]')).to_have_count(0)


def test_a_deleted_run_is_told_as_such_and_comes_back(
    page: Page, client: fleetlog.Client, run: str, namespace: str
) -> None:
    page.goto(f"/n/{namespace}/runs/{run}")
    page.get_by_role("button", name="Delete").click()
    reached(lambda: client.get_run(run).deleted)
    page.get_by_text("Undo").click()
    reached(lambda: not client.get_run(run).deleted)
    expect(page.get_by_role("button", name="Delete")).to_be_visible()


def test_charts_of_a_run_are_its_curves(page: Page, run: str, namespace: str) -> None:
    page.goto(f"/n/{namespace}/runs/{run}")
    page.get_by_role("tab", name="charts").click()
    shown = page.locator('.card[data-metric="loss"]')
    expect(shown).to_have_attribute("data-state", "ready")
    expect(shown.locator(".plot")).to_have_attribute("data-points", "20")


def test_artifacts_are_looked_at_and_act_on_nothing(page: Page, run: str, namespace: str) -> None:
    page.goto(f"/n/{namespace}/runs/{run}?tab=artifacts")
    shown = {
        "page.html": "iframe[sandbox='']",
        "drawing.svg": ".preview *",
        "note.md": ".markdown strong",
        "table.csv": "td:text-is('a \"quoted\" one')",
        "data.json": "pre:has-text('\"a\": [')",
        "empty.txt": "text=This file is empty.",
    }
    for name, selector in shown.items():
        page.locator(".files button").filter(has_text=name).click()
        expect(page.locator(".look h3")).to_have_text(name)
        expect(
            page.locator(f".preview {selector}" if not selector.startswith((".preview", "text")) else selector).first
        ).to_be_visible()
        assert page.title() != "reached"


def test_files_in_folders_are_a_tree(page: Page, embedded_target: str, namespace: str) -> None:
    with fleetlog.start_run("tree", target=embedded_target, namespace=namespace) as run:
        for path in ("top.txt", "logs/one.txt", "logs/deep/two.txt"):
            run.log_text(f"words of {path}", path)
    fleetlog.flush(level="applied", target=embedded_target)
    page.goto(f"/n/{namespace}/runs/{run.id}?tab=artifacts")
    names = page.locator(".files button span")
    expect(names).to_have_text(["logs", "deep", "two.txt", "one.txt", "top.txt"])
    page.get_by_role("treeitem", name="two.txt").get_by_role("button").click()
    expect(page.locator(".preview pre")).to_have_text("words of logs/deep/two.txt")
    page.locator(".files .folder").first.click()
    expect(names).to_have_text(["logs", "top.txt"])
    expect(page.locator(".look h3")).to_have_text("logs/deep/two.txt")


def test_the_history_tells_who_did_what_and_how_all_was_after_it(
    page: Page, client: fleetlog.Client, embedded_target: str, namespace: str
) -> None:
    run = fleetlog.start_run("told", "first name", target=embedded_target, namespace=namespace)
    run.flush()
    run.log({"loss": 1.0}, step=1)
    run.flush()
    run.finish()
    client.update_run(run.id, name="second name", tags={"team": "b"})
    page.goto(f"/n/{namespace}/runs/{run.id}")
    page.get_by_role("tab", name="history").click()
    rows = page.locator("[data-records] tr[data-kinds]")
    expect(rows.first).to_have_attribute("data-kinds", re.compile("run_updated"))
    expect(rows.first).to_contain_text("team")
    expect(rows.first).not_to_contain_text("run started")
    expect(page.locator('tr[data-kinds="metrics_logged"]')).to_have_count(0)
    page.get_by_role("button", name="Points too").click()
    points = page.locator('tr[data-kinds="metrics_logged"]')
    expect(points).to_contain_text("loss")
    expect(page).to_have_url(re.compile("points=1"))
    page.locator('tr[data-kinds~="run_finished"]').get_by_role("button", name="look back").click()
    expect(page.locator("[data-edit=name]")).to_have_text("first name")
    expect(page.locator("[data-as-of]")).to_be_visible()


def test_a_long_history_comes_in_pages(
    page: Page, client: fleetlog.Client, embedded_target: str, namespace: str
) -> None:
    with fleetlog.start_run("long", target=embedded_target, namespace=namespace) as run:
        pass
    run.flush(level="applied")
    for place in range(120):
        client.update_run(run.id, tags={"place": str(place)})
    page.goto(f"/n/{namespace}/runs/{run.id}?tab=history")
    rows = page.locator("[data-records] tr[data-kinds]")
    expect(rows).to_have_count(100)
    page.get_by_role("button", name="Older").click()
    expect(rows.last).to_contain_text("run started")
    expect(page.get_by_role("button", name="Older")).to_have_count(0)


def test_runs_side_by_side_show_what_differs(
    page: Page, client: fleetlog.Client, embedded_target: str, namespace: str
) -> None:
    ids = []
    for lr in (0.1, 0.2):
        with fleetlog.start_run(
            "pair", f"lr {lr}", params={"lr": lr, "alike": 7}, target=embedded_target, namespace=namespace
        ) as run:
            run.log({"loss": lr * 10}, step=1)
        ids.append(run.id)
    fleetlog.flush(level="applied", target=embedded_target)
    page.goto(f"/n/{namespace}/compare?runs={','.join(ids)}")
    expect(page.locator('[data-row="params.lr"] td')).to_have_text(["0.1", "0.2"])
    expect(page.locator('[data-row="params.alike"]')).to_have_count(0)
    expect(page.locator('[data-row="metrics.loss"] td').nth(1).locator("small")).to_have_text("+1")
    page.get_by_role("button", name="Differences only").click()
    expect(page.locator('[data-row="params.alike"] td')).to_have_text(["7", "7"])
    expect(page.locator('.card[data-metric="loss"] .plot')).to_have_attribute("data-curves", "2")
