"""Registered models: the list, a model and a version, and what may be done with them."""

from __future__ import annotations

import fleetlog
import pytest
from playwright.sync_api import Page, expect

from tests.waiting import reached

MODEL = "gpt 2%"
HOSTILE = "<img src=x onerror=\"document.title='reached'\"> **bold**"


@pytest.fixture
def run(client: fleetlog.Client, embedded_target: str, namespace: str) -> str:
    """The id of a run that two versions of a model are of."""
    with fleetlog.start_run("registry", "trained", target=embedded_target, namespace=namespace) as run:
        run.log({"loss": 0.25}, step=1)
    fleetlog.flush(level="applied", target=embedded_target)
    client.register_model(MODEL, run=run.id, description=HOSTILE, user="ada")
    client.register_model(MODEL, run=run.id, user="ada")
    return run.id


def model_path(namespace: str, version: int | None = None) -> str:
    path = f"/n/{namespace}/models/gpt%202%25"
    return path if version is None else f"{path}/{version}"


def test_the_list_leads_to_a_model_its_version_and_the_run_and_back(
    page: Page, client: fleetlog.Client, run: str, namespace: str
) -> None:
    client.transition(MODEL, 2, "Production")
    client.set_alias(MODEL, "champion", 1)
    page.goto(f"/n/{namespace}/experiments")
    page.get_by_role("link", name="Models").click()
    row = page.locator(f'tr[data-model="{MODEL}"]')
    for text in ("Production", "@champion → 1"):
        expect(row).to_contain_text(text)
    row.get_by_role("link").click()
    expect(page.locator("tr[data-version]")).to_have_count(2)
    expect(page.locator('tr[data-version="1"]')).to_contain_text("@champion")
    page.locator('tr[data-version="1"]').get_by_role("link", name="1", exact=True).click()
    expect(page.locator("[data-screen=version]")).to_contain_text("trained")
    expect(page.locator('[data-metric="loss"]')).to_contain_text("0.25")
    expect(page.locator("[data-note]")).to_contain_text("<img")
    expect(page.locator("[data-note] strong")).to_have_text("bold")
    assert "reached" not in page.title()
    page.locator(f'[data-run-link="{run}"]').click()
    page.locator(f'[data-registered="{MODEL}"] a').first.click()
    expect(page.locator("[data-screen=version]")).to_be_visible()


def test_an_alias_and_a_stage_are_moved_with_a_word_for_the_history(
    page: Page, client: fleetlog.Client, run: str, namespace: str
) -> None:
    page.goto(model_path(namespace, 2))
    page.get_by_role("button", name="Move to stage").click()
    page.get_by_label("Stage").select_option("Production")
    page.get_by_label("Comment", exact=False).last.fill("it holds")
    page.get_by_role("button", name="Move to Production").click()
    expect(page.locator("h1 .stage")).to_have_text("Production")
    expect(page.locator("[data-comment]")).to_contain_text("it holds")
    page.get_by_role("button", name="Set alias").click()
    page.get_by_role("combobox", name="Alias").fill("champion")
    page.get_by_role("dialog").get_by_role("button", name="Set alias").click()
    expect(page.locator(".facts")).to_contain_text("@champion")
    assert client.get_version(MODEL, alias="champion").version == 2
    page.get_by_role("tab", name="history").click()
    expect(page.locator("[data-action]")).to_have_count(4)
    expect(page.locator("[data-action]").nth(2)).to_contain_text("moved version 2 from None to Production")


def test_what_takes_an_approval_is_asked_for_and_decided(
    page: Page, client: fleetlog.Client, run: str, namespace: str
) -> None:
    page.goto(model_path(namespace))
    page.locator(".policy").get_by_role("button", name="change").click()
    page.get_by_label("Moving a version to Production").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".policy")).to_contain_text("Production")
    page.goto(model_path(namespace, 1))
    page.get_by_role("button", name="Move to stage").click()
    page.get_by_label("Stage").select_option("Production")
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("h1 .stage")).to_have_count(0)
    page.goto(model_path(namespace))
    expect(page.get_by_role("tab", name="requests")).to_contain_text("1 pending")
    page.get_by_role("tab", name="requests").click()
    request = page.locator('[data-request="1"]')
    expect(request).to_contain_text("version 1 to Production")
    request.get_by_role("button", name="Approve").click()
    page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(request).to_contain_text("approved")
    assert client.get_version(MODEL, version=1).stage == "Production"


def test_description_tags_and_name_are_edited_and_a_refusal_is_told(
    page: Page, client: fleetlog.Client, run: str, namespace: str
) -> None:
    client.create_model("taken")
    page.goto(model_path(namespace))
    page.locator("[data-edit=note]").click()
    page.get_by_label("Description in Markdown").fill("the *best*")
    page.get_by_text("Save description").click()
    expect(page.locator("[data-note] em")).to_have_text("best")
    page.locator("[data-edit=tag]").click()
    page.get_by_label("key of the new tag").fill("team")
    page.get_by_label("value of the new tag").fill("a")
    page.keyboard.press("Enter")
    expect(page.locator('[data-tag="team"]')).to_be_visible()
    reached(lambda: dict(client.get_model(MODEL).tags) == {"team": "a"})
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("textbox", name="Name").fill("taken")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("alert")).to_contain_text("taken")
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("textbox", name="Name").fill("free")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.locator('[data-screen=model][data-model="free"]')).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete free").click()
    expect(page.locator("tr[data-model]")).to_have_count(1)


def test_a_past_moment_shows_the_alias_where_it_was_and_lets_nothing_be_changed(
    page: Page, client: fleetlog.Client, run: str, namespace: str
) -> None:
    client.set_alias(MODEL, "champion", 1)
    client.set_alias(MODEL, "champion", 2)
    page.goto(f"{model_path(namespace)}?tab=history")
    page.locator("[data-action]").nth(1).get_by_role("button", name="look back").click()
    expect(page.locator('[data-alias="champion"]')).to_contain_text("version 1")
    expect(page.get_by_role("button", name="Rename")).to_have_count(0)
    expect(page.get_by_label("New comment")).to_have_count(0)
