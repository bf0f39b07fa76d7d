"""The compiler and the warehouse against the pure evaluator: random runs, filters, orders and pages."""

from __future__ import annotations

import itertools
import math
from typing import TypeVar

from fleetlog_core.warehouse.chdb import ChdbWarehouse
from fleetlog_query.filter.evaluate import ParamValue, RunRow, evaluate
from fleetlog_query.filter.plan import plan_filter
from fleetlog_query.order import arrange, parse_order_by
from fleetlog_query.search import Search, Searcher
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.query.warehouse_rows import insert_runs

KEYS = ["a", "b", "val loss", "x/y", "`q`", 'd"q', "käse"]
NUMBERS = [0.0, -0.0, 1.0, 1.5, -2.0, 1e-300, 1e300, 0.1, math.inf, -math.inf, math.nan, 3.0]
TEXTS = [
    "",
    "a",
    "A",
    "ab",
    "Ab%",
    "a_b",
    "a\\b",
    "\\",
    "it's",
    'say "x"',
    "Ärger",
    "ärger",
    "ΑΣ",
    "😀",
    "1.5",
    "a\nb\t",
]
PATTERNS = [
    "%",
    "_",
    "a%",
    "%b",
    "A_B",
    "a\\%",
    "Ab\\%",
    "a\\\\b",
    "%\\",
    "\\",
    "\\a",
    "ä%",
    "%σ",
    "ας",
    "__",
    "%'%",
    "",
]
STATES = ["RUNNING", "finished", "Failed", "KILLED"]
IDS = [bytes([number]) * 16 for number in range(1, 5)]
TIMES = [1, 1_000, 1_700_000_000_000, 1_700_000_000_001]

T = TypeVar("T")
_namespaces = itertools.count()
numbers = st.sampled_from(NUMBERS)
texts = st.sampled_from(TEXTS)
params = st.one_of(
    numbers.map(lambda value: ParamValue(repr(value), value)), texts.map(lambda text: ParamValue(text, _number(text)))
)


def _number(text: str) -> float | None:
    return 1.5 if text == "1.5" else None


def _mapping(values: st.SearchStrategy[T]) -> st.SearchStrategy[dict[str, T]]:
    return st.dictionaries(st.sampled_from(KEYS), values, max_size=4)


@st.composite
def run_rows(draw: st.DrawFn) -> list[RunRow]:
    count = draw(st.integers(1, 12))
    return [
        RunRow(
            run_id=bytes([draw(st.integers(0, 255)), number]) + bytes(14),
            experiment=draw(st.integers(0, 2)),
            name=draw(texts),
            user=draw(texts),
            state=draw(st.integers(0, 4)),
            start_time=draw(st.sampled_from(TIMES)),
            end_time=draw(st.sampled_from([None, *TIMES])),
            parent_run_id=draw(st.sampled_from([None, *IDS])),
            params=draw(_mapping(params)),
            tags=draw(_mapping(texts)),
            metrics=draw(_mapping(numbers)),
        )
        for number in range(count)
    ]


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def key(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


@st.composite
def conditions(draw: st.DrawFn) -> str:
    space = draw(st.sampled_from(["metrics", "params", "params#", "tags", "id", "time", "text", "state", "experiment"]))
    if space in ("metrics", "params", "params#", "tags"):
        name = f"{space.strip('#')}.{key(draw(st.sampled_from(KEYS)))}"
        number = space in ("metrics", "params#")
    else:
        options = {
            "id": ["run_id", "parent_run_id"],
            "time": ["start_time", "end_time"],
            "text": ["name", "user"],
            "state": ["status"],
            "experiment": ["experiment_id"],
        }
        name = draw(st.sampled_from(options[space]))
        number = space in ("time", "experiment")
    if number:
        values = st.sampled_from(TIMES).map(float) if space == "time" else numbers
        literal = values.map(repr)
    elif space == "state":
        literal = st.sampled_from(STATES).map(quoted)
    elif space == "id":
        literal = st.sampled_from([*(one.hex() for one in IDS), "zz", ""]).map(quoted)
    else:
        literal = texts.map(quoted)
    negated = draw(st.sampled_from(["", "NOT "]))
    shapes = ["compare", "in", "null"] if space == "state" else ["compare", "in", "null", "between"]
    if not number:
        shapes.append("like")
    match draw(st.sampled_from(shapes)):
        case "compare":
            signs = ["=", "!="] if space == "state" else ["=", "!=", "<", "<=", ">", ">="]
            return f"{name} {draw(st.sampled_from(signs))} {draw(literal)}"
        case "in":
            return f"{name} {negated}IN ({', '.join(draw(st.lists(literal, min_size=1, max_size=3)))})"
        case "null":
            return f"{name} IS {negated}NULL"
        case "between":
            return f"{name} {negated}BETWEEN {draw(literal)} AND {draw(literal)}"
        case _:
            word = draw(st.sampled_from(["LIKE", "ILIKE"]))
            return f"{name} {negated}{word} {quoted(draw(st.sampled_from(PATTERNS)))}"


filters = st.recursive(
    conditions(),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=12).map(lambda parts: f"({' AND '.join(parts)})"),
        st.lists(inner, min_size=2, max_size=5).map(lambda parts: f"({' OR '.join(parts)})"),
        inner.map(lambda part: f"NOT ({part})"),
    ),
    max_leaves=14,
)
order_keys = st.builds(
    lambda name, direction: f"{name} {direction}",
    st.one_of(
        st.builds(
            lambda space, name: f"{space}.{key(name)}",
            st.sampled_from(["metrics", "params", "tags"]),
            st.sampled_from(KEYS),
        ),
        st.sampled_from(
            ["run_id", "name", "user", "state", "start_time", "end_time", "experiment_id", "parent_run_id"]
        ),
    ),
    st.sampled_from(["ASC", "DESC"]),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=run_rows(),
    some_filters=st.lists(filters, min_size=1, max_size=4),
    orders=st.lists(st.lists(order_keys, max_size=3), min_size=1, max_size=3),
    page_size=st.integers(1, 5),
    hidden=st.sets(st.integers(0, 11), max_size=4),
)
def test_searches_find_what_the_evaluator_finds(
    warehouse: ChdbWarehouse,
    rows: list[RunRow],
    some_filters: list[str],
    orders: list[list[str]],
    page_size: int,
    hidden: set[int],
) -> None:
    namespace = f"random-{next(_namespaces)}"
    deleted = {row.run_id for place, row in enumerate(rows) if place in hidden}
    insert_runs(warehouse, namespace, rows, deleted=deleted)
    searcher = Searcher(warehouse, b"key")
    for text, order in itertools.zip_longest(some_filters, orders, fillvalue=None):
        text, order = text or "", order or []
        note(f"{text} ORDER BY {order}")
        plan = plan_filter(text)
        wanted = [row for row in rows if row.run_id not in deleted and row.experiment < 2]
        if plan is not None:
            wanted = [row for row in wanted if evaluate(plan, row) is True]
        found: list[bytes] = []
        token = ""
        while True:
            page = searcher.search(Search(namespace, (0, 1), text, tuple(order), page_size, token), 60)
            found += [hit.run_id for hit in page.hits]
            token = page.next_page_token
            if not token:
                break
        assert found == [row.run_id for row in arrange(wanted, parse_order_by(order))]
