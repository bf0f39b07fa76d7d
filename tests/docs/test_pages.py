"""What the pages for readers name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
FOLDERS = (
    "protos", "client", "core", "ingest", "query", "deploy", "tests", "benchmarks", "examples", "docs", "simulation",
)  # fmt: skip
FILE = re.compile(r"`([\w/.]+\.(?:py|lark|proto|toml|md|sql))`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_file_that_the_architecture_names_is_there() -> None:
    files = {str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")}
    files |= {path.name for path in ROOT.glob("*.*")}
    named = FILE.findall((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    assert len(named) > 30
    missing = [name for name in named if name not in files and not any(one.endswith(f"/{name}") for one in files)]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/decisions/0*.md")), ids=ids)
def test_a_decision_has_its_head(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for part in ("Status", "Context", "Decision", "Consequences"):
        assert re.search(rf"^(?:\*\*{part}\.\*\*|## {part}$)", text, re.MULTILINE), part
    status = re.search(r"Status\.\*\* (.*)", text)
    assert status
    assert re.match(r"Holds|Superseded by \d{4}|Replaced in part by \d{4}", status[1])
