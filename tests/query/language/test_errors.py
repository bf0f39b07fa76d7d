"""What is wrong is said in words, and where."""

from __future__ import annotations

import pytest
from fleetlog_core.errors import InvalidArgument
from fleetlog_query.language.plan import plan_of


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # Syntax: what could have stood there.
        ("metrics.x <", "column 12: expected a value or a field, found the end"),
        ("metrics.x", "column 10: expected a comparison such as = or <, IN, BETWEEN, LIKE or IS NULL, found the end"),
        ("(metrics.x < 1", "column 15: expected a closing parenthesis, found the end"),
        ("metrics.x IN (1, 2", "column 19: expected a comma or a closing parenthesis, found the end"),
        ("metrics.x IN ()", "column 15: expected a number or a text in quotes, found"),
        ("metrics.x < 1 metrics.y < 2", "column 15: expected AND, OR or the end, found 'metrics.y'"),
        ("metrics.x < 1 AND", "column 18: expected a condition such as metrics.val_loss < 3.28, found the end"),
        ("metrics.x IS 3", "column 14: expected NOT or NULL, found '3'"),
        ("metrics.x BETWEEN 1", "column 20: expected AND, found the end"),
        ("tags.x LIKE 3", "column 13: expected a text in quotes, found '3'"),
        ("tags.x = 'it", "column 10: the text that begins here has no closing '"),
        ("metrics. < 1", "column 8: a key follows the point"),
        ("tags.`` = 'a'", "column 5: a key follows the point"),
        ("avg(metrics.x) < 1", "column 4: there is no function 'avg'.*; did you mean mean"),
        ("url('http://x') = 1", "column 4: there is no function 'url'"),
        ("min(metrics.x WHERE epoch = 1) < 2", "column 21: expected step, time or rank, found 'epoch'"),
        ("min(metrics.x WHERE step) < 2", "column 25: expected a comparison such as = or < or BETWEEN, found '\\)'"),
        # Types: what the field takes.
        ("metrics.x < 'abc'", "column 13: expected a number for metrics.x, found the text 'abc'"),
        ("params.x IN ('a', 3)", "column 19: expected a text in quotes for params.x, found a number"),
        ("params.x IN (3, 'a')", "column 17: expected a number for params.x, found the text 'a'"),
        ("tags.x = 0.1", "column 10: expected a text in quotes for tags.x, found a number; as a text '0.1'"),
        ("metrics.x MATCHES 'a'", "column 11: MATCHES compares texts, and metrics.x is a number"),
        ("state < 'RUNNING'", "column 7: states have no order"),
        ("1 < 2", "column 1: expected something of a run"),
        ("metrics.x + tags.y < 3", "column 13: tags.y is a text"),
        ("name * 2 < 3", "column 1: name is no number"),
        ("metrics.x - 1 IS NULL", "column 1: IS NULL asks whether a run has a key"),
        ("metrics.x BETWEEN metrics.y AND 3", "column 19: BETWEEN takes fixed values"),
        ("metrics.a/metrics.b < 1", "column 1: a calculation needs spaces around - and /"),
        ("tags.x MATCHES 'a(b'", "column 16: not a regular expression of RE2: missing \\)"),
        ("tags.x MATCHES '(?=a)'", "column 16: not a regular expression of RE2"),
        ("tags.x MATCHES '(a)\\1'", "column 16: not a regular expression of RE2"),
        # Times and durations.
        ("start_time > 'soon'", "column 14: expected a time such as '2026-01-31'"),
        ("start_time > 7d", "column 14: a time can't be compared with a duration"),
        ("metrics.x < 7d", "column 13: a number can't be compared with a duration"),
        ("start_time + end_time > 3", "column 14: a time \\+ a time makes no sense"),
        ("end_time - start_time > 'x'", "column 25: expected a duration such as 90m"),
        ("start_time > now() - 7D", "column 22: expected"),
        # Functions and windows.
        ("min(params.x) < 1", "column 5: min\\(\\) is of a metric, and params.x is none"),
        ("at(metrics.x, 1.5) < 1", "column 15: a step is a whole number"),
        ("min(metrics.x WHERE step != 3) < 1", "column 21: a window is one range of step"),
        ("min(metrics.x WHERE step < 1h) < 1", "column 28: expected a number for step, found a duration"),
        ("min(metrics.x WHERE step < NaN) < 1", "column 28: NaN is no end of a window"),
        ("min(metrics.x WHERE rank < metrics.y) < 1", "column 28: a window has fixed ends"),
        # Names.
        ("statsu = 'x'", "column 1: 'statsu' is no attribute of a run: did you mean status?"),
        ("metric_.x = 1", "column 1: there is no group 'metric_'.*; did you mean metrics?"),
        ("step < 1000", "column 1: steps are asked for in a window"),
        ("system.tables = 'x'", "column 1: there is no group 'system'"),
        ("tags.x = 'a' AND '\ud800' = tags.y", "column 19: half of a surrogate pair"),
    ],
)
def test_errors_say_what_and_where(text: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said) as caught:
        plan_of(text, 0.0)
    assert caught.value.violations[0].field == "filter"
    assert f"column {caught.value.metadata['column']}:" in caught.value.message
    assert caught.value.message.isascii() or "\N{HORIZONTAL ELLIPSIS}" in caught.value.message


def test_now_needs_a_clock() -> None:
    with pytest.raises(InvalidArgument, match="column 14: now"):
        plan_of("start_time > now() - 7d")
