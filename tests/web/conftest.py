"""What tests of the web UI have: a browser, a page that forgives nothing, and real runs."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import fleetlog
import pytest
from fleetlog_query.web.app import STATIC
from load import ARCHIVE, load, sources
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from rich.console import Console

SECONDS = 60
SPEEDRUN = "speedrun"
RECENT = re.compile("/(2025-12|2026-)")
COUNT = 304
"""Runs since then: more than a page of the table."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium: the one that FLEETLOG_BROWSER names, or that is on the path."""
    named = os.environ.get("FLEETLOG_BROWSER")
    path = named or shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if path is None:
        message = "NOT TESTED: no Chromium; apt-get install --no-install-recommends chromium-headless-shell"
        if os.environ.get("FLEETLOG_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    if not (STATIC / "index.html").is_file():
        pytest.fail("the web UI is not built: make ui")
    with sync_playwright() as playwright:
        # Root in a container has no sandbox of its own to give.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address(embedded_web: int) -> str:
    """Address of the web UI."""
    return f"http://127.0.0.1:{embedded_web}"


def is_expected(message: ConsoleMessage) -> bool:
    """True if it is no complaint, or one that tests want: a call that was refused, an artifact that may not act."""
    if message.type not in ("error", "warning"):
        return True
    return "status of 4" in message.text or "/raw/" in message.text or "/raw/" in message.location["url"]


@pytest.fixture
def theme() -> str:
    return "light"


@pytest.fixture
def page(browser: Browser, address: str, theme: str) -> Iterator[Page]:
    """A page of its own. Any error in its console, in its code, and any request to elsewhere fails the test."""
    context = browser.new_context(
        base_url=address,
        viewport={"width": 1440, "height": 860},
        color_scheme="dark" if theme == "dark" else "light",
        timezone_id="UTC",
    )
    context.set_default_timeout(SECONDS * 1000)
    expect.set_options(timeout=SECONDS * 1000)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda message: None if is_expected(message) else wrong.append(f"console: {message.text}"))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith((address, "blob:", "data:")) else wrong.append(f"request: {request.url}")
        ),
    )
    yield page
    context.close()
    assert wrong == []


@pytest.fixture
def namespace() -> str:
    """A namespace of the test's own."""
    return f"web-{uuid4().hex[:12]}"


@pytest.fixture
def client(embedded_target: str, namespace: str) -> fleetlog.Client:
    return fleetlog.Client(embedded_target, namespace)


@pytest.fixture(scope="session")
def speedrun(embedded_target: str, tmp_path_factory: pytest.TempPathFactory) -> fleetlog.Client:
    """A client of real runs of the example, those since December 2025, in the default namespace."""
    folder = tmp_path_factory.mktemp("speedrun")
    with tarfile.open(ARCHIVE) as archive:
        members = [each for each in archive if each.name.endswith(".jsonl") or RECENT.search(each.name)]
        archive.extractall(folder, members, filter="data")
    assert len(sources(folder)) == COUNT
    load(folder, SPEEDRUN, embedded_target, Console(file=sys.stderr, quiet=True))
    return fleetlog.Client(embedded_target)


@pytest.fixture(scope="session")
def speedrun_path(speedrun: fleetlog.Client) -> str:
    """Path of the table of the real runs."""
    return f"/n/default/e/{speedrun.get_experiment(SPEEDRUN).id}/runs"


@pytest.fixture(scope="session")
def screenshots() -> Path | None:
    """Folder for screenshots; None when nobody wants them."""
    folder = os.environ.get("FLEETLOG_SCREENSHOTS")
    return Path(folder) if folder else None
