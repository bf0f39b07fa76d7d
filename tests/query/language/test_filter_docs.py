"""docs/filter.md says what the code does."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest
from fleetlog_core import limits
from fleetlog_query.language.fields import ATTRIBUTES
from fleetlog_query.language.order_key import parse_order_key
from fleetlog_query.language.plan import plan_of

PAGE = (Path(__file__).parents[3] / "docs" / "filter.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


EXAMPLES = [line for block in blocks("sql") for line in block.splitlines() if line]


def test_the_grammar_is_the_file_that_is_read() -> None:
    assert blocks("lark") == [(files("fleetlog_query.language") / "grammar.lark").read_text(encoding="utf-8")]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 20


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_are_filters(text: str) -> None:
    assert plan_of(text, 1_700_000_000_000.0) is not None


def test_attributes_and_limits_are_listed() -> None:
    assert f"`{' '.join(ATTRIBUTES)}`" in PAGE
    for limit in (
        limits.FILTER_CHARACTERS, limits.FILTER_CLAUSES, limits.FILTER_VALUES, limits.FILTER_DEPTH,
        limits.FILTER_LOOKUPS, limits.FILTER_TERMS, limits.FILTER_PATTERNS, limits.FILTER_PATTERN_CHARACTERS,
        limits.FILTER_WINDOWS, limits.FILTER_POINTS,
        limits.FILTER_PATTERN_SIZE, limits.FILTER_SIGNS,
    ):  # fmt: skip
        assert f"{limit:,}" in PAGE


def test_orders_of_the_page_are_keys() -> None:
    section = PAGE.partition("## order_by")[2].partition("Numbers come first")[0]
    for text in re.findall(r"`([^`]+)`", section):
        parse_order_key(text)
