"""What is too large is refused, and before it costs much."""

from __future__ import annotations

import cProfile
import time
from collections.abc import Callable

import pytest
from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument
from fleetlog_query.language.conditions import Plan
from fleetlog_query.language.plan import plan_of
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.condition_sql import condition
from fleetlog_query.sql.order_by import parse_order
from fleetlog_query.sql.scope import Scope

SCOPE = Scope("default", (1,))


def many(condition: str, count: int, joiner: str = " OR ") -> str:
    return joiner.join(condition.format(place) for place in range(count))


@pytest.mark.parametrize(
    "text",
    [
        "(" * 2_000,
        "(" * 2_000 + "metrics.x < 1" + ")" * 2_000,
        "tags.x = " + "(" * 2_000,
        "NOT " * 2_000 + "metrics.x < 1",
        "NOT (" * 2_000 + "metrics.x < 1" + ")" * 2_000,
        many("id='{}'", 9_000)[: limits.FILTER_CHARACTERS],
        many("a < 1", 10_000),
        many("metrics.x < {}", limits.FILTER_CLAUSES + 1, " AND "),
        f"metrics.x IN ({', '.join(['1'] * 33_000)})",
        f"metrics.x < {' + '.join(['1'] * 20_000)}",
        "a" * 200_000,
        "'" * 99_999,
        "name = '" + "x" * 99_000,
        "name = '" + "''" * 49_000,
        "metrics.`" + "``" * 49_000,
        'metrics."' + "x" * 99_000,
        "metrics.x < " + "9" * 99_000 + "x",
        "metrics.x < " + "1h" * 49_000 + "x",
        "tags.x LIKE '" + "%a" * 49_000 + "'",
        "tags.x ILIKE '" + "%a" * 49_000 + "'",
    ],
    ids=lambda text: f"{text[:12]} {len(text)}",
)
def test_too_much_is_refused_at_once(text: str) -> None:
    plan_of("metrics.x < 1")
    fastest = 60.0
    for spaces in range(3):
        begun = time.thread_time()
        with pytest.raises(InvalidArgument) as caught:
            plan_of(text + " " * spaces)
        assert caught.value.reason in ("FILTER_TOO_LARGE", "FILTER_SYNTAX")
        fastest = min(fastest, time.thread_time() - begun)
    # 50 ms and less on a quiet machine; what grows with the square of the text takes minutes.
    assert fastest < 5, f"{fastest:.3f} s"


def calls_of(work: Callable[[], object]) -> int:
    """Calls of functions that the work is made of."""
    profile = cProfile.Profile()
    profile.runcall(work)
    return sum(entry.callcount for entry in profile.getstats())


@pytest.mark.parametrize(
    "text",
    [
        many("metrics.x_{} < 1", limits.FILTER_CLAUSES, " AND "),
        many("metrics.x BETWEEN 1 AND {}", limits.FILTER_CLAUSES),
        f"metrics.x IN ({', '.join(['1'] * (limits.FILTER_VALUES - 1))})",
        "(" * limits.FILTER_DEPTH + "metrics.x < 1" + ")" * limits.FILTER_DEPTH,
        "NOT " * limits.FILTER_DEPTH + "metrics.x < 1",
        f"metrics.x < {' + '.join(['1'] * limits.FILTER_SIGNS)}",
        many("tags.x LIKE '%a{}%'", limits.FILTER_CLAUSES),
    ],
    ids=["conditions", "ranges", "values", "parentheses", "negations", "signs", "patterns"],
)
def test_what_is_within_the_limits_is_planned_without_keeping_others_waiting(text: str) -> None:
    plan_of("metrics.x < 1")
    plans: list[Plan | None] = []
    # About a tenth of a second, whatever the machine does meanwhile.
    assert calls_of(lambda: plans.append(plan_of(text))) < 600_000
    assert plans[0] is not None
    assert condition(plans[0], SCOPE, Binds())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (many("tags.x MATCHES '{}'", limits.FILTER_PATTERNS + 1), "more than 20 of ILIKE and MATCHES"),
        (f"tags.x MATCHES '{'a' * (limits.FILTER_PATTERN_CHARACTERS + 1)}'", "1,001 characters, at most 1,000"),
        (
            f"tags.x ILIKE '{'a' * (limits.FILTER_PATTERN_CHARACTERS + 1)}'",
            "column 14: the pattern has 1,001 characters",
        ),
        (
            f"tags.x LIKE '{'a' * (limits.FILTER_PATTERN_CHARACTERS + 1)}'",
            "column 13: the pattern has 1,001 characters",
        ),
        ("tags.x MATCHES '(a|b0){900}z'", "column 16: the patterns .* 4,505 instructions .* at most 1,300"),
        ("tags.x MATCHES '((a|b)(a|b){1,29}){29}'", "instructions when they are compiled"),
        ("tags.x MATCHES '(.*a){300}'", "instructions when they are compiled"),
        (many("tags.x MATCHES '(a|b0){{99}}z{}'", 6), "the patterns up to here have 1,"),
        (f"tags.x LIKE '{'%_a' * 333}'", "instructions when they are compiled"),
        (f"tags.x ILIKE '{'_' * 900}'", "instructions when they are compiled"),
        (f"state LIKE '{'_' * 900}'", "instructions when they are compiled"),
        (many("tags.x LIKE '%a_b{}%'", 200), "instructions when they are compiled"),
        ("tags.x MATCHES '\\pL{900}\\pN{900}'", "RE2: pattern too large"),
        (many("min(metrics.x WHERE step > {}) < 1", limits.FILTER_WINDOWS + 1), "11 windows, at most 10"),
        ("metrics.x < " + " * ".join(f"metrics.x{place}" for place in range(17)), "a calculation with 18 names"),
        (" + ".join(f"metrics.x{place}" for place in range(17)) + " < 1", "a calculation with 17 names, at most 16"),
    ],
)
def test_what_costs_the_warehouse_much_has_limits_of_its_own(text: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        plan_of(text)


def test_many_look_ups_are_refused_with_a_hint() -> None:
    plan = plan_of(many("(metrics.x{0} < 1 AND tags.y{0} = 'a')", 200))
    assert plan is not None
    with pytest.raises(InvalidArgument, match=r"takes 400 look-ups, at most 100.*write \(a OR b\) AND c") as caught:
        condition(plan, SCOPE, Binds())
    assert caught.value.reason == "FILTER_TOO_LARGE"


def test_a_statement_stays_small() -> None:
    windowed = many("metrics.x_{} < 1", 900, " AND ") + "".join(
        f" AND min(metrics.y WHERE step > {place}) < 1" for place in range(10)
    )
    for text in (many("metrics.x_{} < 1", 1_000), windowed):
        plan = plan_of(text)
        assert plan is not None
        assert len(condition(plan, SCOPE, Binds())) < 200_000


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (["metrics.x"] * (limits.ORDER_BY_KEYS + 1), "9 keys, at most 8"),
        ([" + ".join(f"metrics.x{place}" for place in range(17))], "a calculation with 17 names, at most 16"),
        ([" + ".join(f"metrics.x{key}_{place}" for place in range(16)) for key in range(8)], "128 names, at most 100"),
        ([" + ".join(f"at(metrics.x, {place})" for place in range(11))], "11 windows, at most 10"),
    ],
)
def test_orders_have_limits(items: list[str], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        parse_order(items)
