from __future__ import annotations

import pytest
from fleetlog_core.errors import InvalidArgument
from fleetlog_query.language.plan import plan_of

from tests.query.reference.evaluate import Row, matches

ROW = Row(
    attributes={"name": "base", "state": 2.0, "start_time": 1_700_000_000_000.0, "end_time": None, "user": "ada"},
    params={"lr": (2e-5, "2e-05", 4), "model": (float("nan"), "gpt2", 2), "text": (3.0, "3", 2)},
    tags={"a b": "it's", "team": "x"},
    metrics={"loss": 2.5, "bad": float("nan"), "val/loss-1": 1.0},
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("metrics.loss < 3", True),
        ("metrics.loss < 3 AND params.lr >= 1e-5", True),
        ("metrics.loss < 3 and not params.lr >= 1e-5 or tags.team = 'x'", True),
        ("metrics.loss < 3 AND (params.lr > 1 OR tags.team = 'y')", False),
        ("metrics.missing < 3", False),
        ("NOT metrics.missing < 3", False),
        ("metrics.missing IS NULL", True),
        ("metrics.loss IS NOT NULL", True),
        ("metrics.bad < 3", False),
        ("NOT metrics.bad < 3", True),
        ("metrics.bad = NaN", True),
        ("metrics.loss != nan", True),
        ("metrics.val/loss-1 = 1", True),
        ("params.model = 'gpt2'", True),
        ("params.model > 1", False),
        ("NOT params.model > 1", False),
        ("params.text = 3", True),
        ("params.text = '3'", True),
        ("params.model LIKE 'gp%'", True),
        ("params.model LIKE 'GP%'", False),
        ("params.model ILIKE 'GP_2'", True),
        ("params.model NOT LIKE 'x%'", True),
        ("tags.`a b` = 'it''s'", True),
        ('tags."a b" = "it\'s"', True),
        ("metrics.loss IN (1, 2.5)", True),
        ("metrics.loss NOT IN (1, 2)", True),
        ("metrics.loss BETWEEN 2 AND 3 AND tags.team IN ('x', 'y')", True),
        ("attributes.status = 'finished'", True),
        ("run_name = 'base'", True),
        ("attr.start_time > '2023-01-01'", True),
        ("start_time = 1700000000000", True),
        ("start_time = 1700000000", True),
        ("start_time BETWEEN 1699999999.5 AND 1700000001", True),
        ("start_time IN (1, 1700000000)", True),
        ("1700000001 < start_time", False),
        ("start_time - 1s < 1700000000", True),
        ("start_time > 1700000000 + 1", False),
        ("end_time IS NULL", True),
    ],
)
def test_what_a_filter_means(text: str, expected: bool) -> None:
    assert matches(plan_of(text), ROW) is expected


@pytest.mark.parametrize(
    ("text", "reason", "column"),
    [
        ("metrics.x <", "FILTER_SYNTAX", 12),
        ("metrics.x < 1 AND", "FILTER_SYNTAX", 18),
        ("(metrics.x < 1", "FILTER_SYNTAX", 15),
        ("metrics.x ! 3", "FILTER_SYNTAX", 11),
        ("metrics.x < 'abc'", "FILTER_TYPE", 13),
        ("tags.x = 3", "FILTER_TYPE", 10),
        ("metrics.x LIKE 'a'", "FILTER_TYPE", 11),
        ("state = 'sleeping'", "FILTER_TYPE", 9),
        ("tags.x LIKE 3", "FILTER_SYNTAX", 13),
        ("statsu = 'x'", "FILTER_UNKNOWN_FIELD", 1),
        ("metric_.x = 1", "FILTER_UNKNOWN_FIELD", 1),
        ("' OR 1=1 --", "FILTER_SYNTAX", 1),
        ("tags.x = 'a'; DROP TABLE runs", "FILTER_SYNTAX", 13),
        ("__import__('os').system('x')", "FILTER_SYNTAX", 11),
    ],
)
def test_errors_point_at_the_column(text: str, reason: str, column: int) -> None:
    with pytest.raises(InvalidArgument) as caught:
        plan_of(text)
    assert caught.value.reason == reason
    assert caught.value.metadata["column"] == str(column)
