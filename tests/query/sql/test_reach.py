"""Nothing that a filter says reaches a table function, a system table or another namespace."""

from __future__ import annotations

import re

import fleetlog
import pytest
from fleetlog_core.errors import InvalidArgument
from fleetlog_query.language.plan import plan_of
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.condition_sql import condition
from fleetlog_query.sql.order_by import joins, parse_order, sort_columns
from fleetlog_query.sql.scope import Scope
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from tests.profiles import examples
from tests.query.random_filters import FILTER, ORDER

HOSTILE = [
    "') UNION ALL SELECT * FROM system.tables --", "{p0:String}", "x' OR 1=1 /*", "url('http://127.0.0.1')",
    "file('/etc/passwd')", "\\'; DROP TABLE runs; --", "`system`.`users`", "\0\0", "%' ESCAPE '", "$$", "\r\n;", "?",
]  # fmt: skip
WORDS = frozenset(
    re.findall(
        r"\w+",
        """
    SELECT FROM FINAL WHERE AND OR NOT IN BETWEEN GROUP BY HAVING UNION ALL AS SETTINGS LIKE ARRAY JOIN LIMIT
    text
    runs attrs series rollup points
    namespace experiment kind key removed num str type run_id name user state start_time end_time parent_run_id
    step ts rank value b n nans total minv maxv first last i v w p lo hi c k t
    lower hex toString toFloat64 toUnixTimestamp64Milli toFixedString isNaN if multiIf min max sum count anyIf match
    toInt64 toInt128 toInt128OrZero abs leftPad
    transform bitAnd bitOr bitXor bitNot bitShiftLeft toUInt64 toUInt256 reinterpretAsUInt64 reinterpretAsFloat64
    splitByChar char startsWith identity
    unhex arrayJoin nan inf max_rows_to_read
    """,
    )
)
PLACE = re.compile(r"\{p[0-9]+:(?:String|Float64|Int64|Array\((?:String|Float64|UInt32)\))\}")
CONSTANTS = re.compile(r"'(?:|0|RUNNING|FINISHED|FAILED|KILLED|SCHEDULED|LOST)'")


def words_of(sql: str) -> set[str]:
    bare = CONSTANTS.sub("", PLACE.sub("", sql))
    assert not set("'\"`{};\\#?$") & set(bare)
    assert "--" not in bare
    assert "/*" not in bare
    return set(re.findall(r"[A-Za-z_]\w*", bare))


def compiled(text: str) -> tuple[str, Binds]:
    binds = Binds()
    plan = plan_of(text, 0.0)
    assert plan is not None
    return condition(plan, Scope("mine", (1, 2)), binds), binds


@settings(max_examples=examples(300), suppress_health_check=list(HealthCheck))
@given(text=FILTER)
def test_statements_are_made_of_known_words(text: str) -> None:
    try:
        sql, binds = compiled(text)
    except InvalidArgument:
        reject()
    assert words_of(sql) <= WORDS
    for read in re.findall(r"FROM (?:attrs|runs|series|rollup|points)\b[^()]*", sql):
        namespace = re.match(r"FROM \w+ (?:FINAL )?WHERE namespace = \{(p[0-9]+):String\} AND ", read)
        assert namespace
        assert binds.values[namespace[1]] == "mine"


@settings(max_examples=examples(100), suppress_health_check=list(HealthCheck))
@given(order=ORDER)
def test_orders_are_made_of_known_words(order: list[str]) -> None:
    keys, binds = parse_order(order, 0.0), Binds()
    columns = sort_columns(keys)
    sql = joins(keys, Scope("mine", (1, 2)), binds) + "\n" + "\n".join(column.sql for column in columns)
    words = {word for word in words_of(sql) if not re.fullmatch(r"k[0-9](?:_\w+)?", word)}
    assert words <= WORDS | {"LEFT", "ANY", "JOIN", "ON", "toUInt8"}


@settings(max_examples=examples(200))
@given(key=st.sampled_from(HOSTILE) | st.text(), value=st.sampled_from(HOSTILE) | st.text())
def test_keys_and_values_are_bound(key: str, value: str) -> None:
    quoted_key, quoted_value = key.replace("`", "``"), value.replace("'", "''")
    text = f"tags.`{quoted_key}` = '{quoted_value}' OR min(metrics.`{quoted_key}` WHERE step > 3) < 1"
    try:
        sql, binds = compiled(text)
    except InvalidArgument:
        reject()
    assert words_of(sql) <= WORDS
    assert {key, value} <= {bound for bound in binds.values.values() if isinstance(bound, str)}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_texts_find_what_is_named_so_and_nothing_else(embedded_target: str, hostile: str) -> None:
    mine, other = fleetlog.Client(embedded_target), "reach-other"
    tag = hostile if "\0" not in hostile else "nul"
    run = fleetlog.start_run("reach", tags={"hostile": tag}, target=embedded_target)
    run.log({"x": 1.0}, step=3)
    theirs = fleetlog.start_run("reach", tags={"hostile": tag}, target=embedded_target, namespace=other)
    theirs.log({"x": 1.0}, step=3)
    run.finish()
    theirs.finish()
    fleetlog.flush(level="applied", target=embedded_target)
    quoted = tag.replace("'", "''")
    text = f"tags.hostile = '{quoted}' AND max(metrics.x WHERE step = 3) = 1 AND at(metrics.x, 3) = last(metrics.x)"
    assert run.id in {one.id for one in mine.search_runs(text)}
    found = {
        one.id for one in mine.search_runs("max(metrics.x WHERE rank = -1) = 1 OR tags.hostile IS NOT NULL", limit=None)
    }
    assert theirs.id not in found
    assert theirs.id in {one.id for one in fleetlog.Client(embedded_target, namespace=other).search_runs(text)}
