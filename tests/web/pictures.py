"""Pictures of screens, where somebody wants some."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page


def look(page: Page, folder: Path | None, name: str, theme: str) -> None:
    """Keep a picture of the page, where somebody wants one."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{name}-{theme}.png", animations="disabled")
