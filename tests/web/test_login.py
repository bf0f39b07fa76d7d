"""A server that asks for tokens: the page takes one, comes back to where one was, and offers what the roles allow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fleetlog
import pytest
from playwright.sync_api import Page, expect

from tests.deploy.processes import running
from tests.ports import free_port
from tests.web.pictures import look

MODEL = "guarded"


class Guarded:
    """A server with authentication, and a token of each role."""

    def __init__(self, address: str, tokens: dict[str, str], run: str) -> None:
        self.address = address
        self.tokens = tokens
        self.run = run


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    data, web = tmp_path_factory.mktemp("guarded") / "data", free_port()
    environment = {"FLEETLOG_CONFIG_HOME": str(data.parent)}
    with running(
        "up", "--data", str(data), "--port", "0", "--web-port", str(web), "--auth", environment=environment
    ) as server, pytest.MonkeyPatch.context() as patch:  # fmt: skip
        patch.setenv("FLEETLOG_CONFIG_HOME", str(data.parent))
        patch.setenv("FLEETLOG_TOKEN", (data / "admin.token").read_text().strip())
        client = fleetlog.Client(server.target)
        tokens = {
            role: client.create_token(role, roles=f"{role}@default").secret for role in ("reader", "approver", "writer")
        }
        with fleetlog.start_run("guarded", "guarded run", target=server.target) as run:
            run.log({"loss": 1.0}, step=1)
            run.flush(level="applied", timeout=100)
        client.register_model(MODEL, run=run.id)
        client.request_transition(MODEL, 1, "Production")
        yield Guarded(f"http://127.0.0.1:{web}", tokens, run.id)


@pytest.fixture
def address(guarded: Guarded) -> str:
    """Address of the server that asks."""
    return guarded.address


def signed_in(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("[data-screen=login]")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_token_is_asked_for_once_and_one_comes_back_to_where_one_was(
    page: Page, guarded: Guarded, screenshots: Path | None, theme: str
) -> None:
    path = "/n/default/runs?cols=name&q=name+%3D+%27guarded+run%27"
    page.goto(path)
    page.get_by_label("Token").fill("fl_nobody_knows")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("does not know this token")
    look(page, screenshots, "login", theme)
    signed_in(page, guarded.tokens["reader"])
    expect(page.locator(f'.grid .row[data-run="{guarded.run}"]')).to_be_visible()
    assert page.url.endswith(path)
    page.reload()
    expect(page.locator(f'.grid .row[data-run="{guarded.run}"]')).to_be_visible()
    kept = page.context.storage_state()
    assert guarded.tokens["reader"] not in str(kept)
    assert [cookie["httpOnly"] for cookie in kept["cookies"]] == [True]


def test_who_is_signed_in_is_shown_and_can_sign_out(page: Page, guarded: Guarded) -> None:
    page.goto("/n/default/experiments")
    signed_in(page, guarded.tokens["reader"])
    page.get_by_role("button", name="reader").click()
    expect(page.locator(".caller")).to_contain_text("reader of default")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="default", exact=True).click()
    expect(page.locator("[data-namespaces]")).to_have_attribute("data-namespaces", "1")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="reader").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("[data-screen=login]")).to_be_visible()
    expect(page.locator("tr[data-experiment]")).to_have_count(0)
    page.reload()
    expect(page.locator("[data-screen=login]")).to_be_visible()


def test_what_a_role_may_not_do_is_not_offered(page: Page, guarded: Guarded) -> None:
    page.goto(f"/n/default/runs/{guarded.run}")
    signed_in(page, guarded.tokens["reader"])
    expect(page.locator("[data-edit=name]")).to_be_disabled()
    expect(page.get_by_role("button", name="Delete")).to_be_hidden()
    page.get_by_role("tab", name="history").click()
    expect(page.locator("[data-records] tr[data-kinds]").last).to_contain_text("admin")
    page.goto(f"/n/default/models/{MODEL}?tab=requests")
    expect(page.locator('[data-request="1"]')).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)


def test_an_approver_decides(page: Page, guarded: Guarded) -> None:
    page.goto(f"/n/default/models/{MODEL}?tab=requests")
    signed_in(page, guarded.tokens["approver"])
    page.locator('[data-request="1"]').get_by_role("button", name="Approve").click()
    page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(page.locator('[data-request="1"]')).to_contain_text("approved")
    expect(page.locator('[data-request="1"]')).to_contain_text("approver")


def test_another_namespace_says_which_role_is_missing(page: Page, guarded: Guarded) -> None:
    page.goto("/n/elsewhere/runs")
    signed_in(page, guarded.tokens["writer"])
    expect(page.get_by_role("alert").first).to_contain_text("reader")
