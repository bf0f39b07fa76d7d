"""What every warehouse promises. A new adapter is one more parameter."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
from fleetlog_core.warehouse.migrate import migrate, migrations
from fleetlog_core.warehouse.port import (
    Array,
    Bind,
    Coded,
    Column,
    Statement,
    TimedOut,
    TooMuchToRead,
    Warehouse,
    WarehouseRefused,
    WarehouseUnavailable,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.warehouse.engines import chdb, clickhouse
from tests.profiles import examples

ENGINES = ["chdb", "clickhouse", "clickhouse-lz4"]
READERS = 5
"""More than an adapter has sessions or connections."""
NUMBER = itertools.count()
HOSTILE = ["", "'", "\\", "\\'", "' OR 1=1 --", "a\tb\nc\rd", "\0", "a\0b\0", "\\N", "{x:String}", "%(x)s", "é☃𝄞", "`",
           '"', "\a\b\f\v\x1b", "NULL", "]", "','", "\\x41", "\\0"]  # fmt: skip
TEXT = st.one_of(st.text(), st.sampled_from(HOSTILE))
INTEGERS: dict[str, type[np.integer[Any]]] = {
    "UInt8": np.uint8, "UInt16": np.uint16, "UInt32": np.uint32, "UInt64": np.uint64,
    "Int8": np.int8, "Int16": np.int16, "Int32": np.int32, "Int64": np.int64,
}  # fmt: skip
RAW = {"FixedString(16)": 16, "UInt128": 16, "UInt256": 32}


def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AbstractContextManager[Warehouse]:
    if request.param == "chdb":
        return chdb(tmp_path_factory.mktemp("chdb"), migrated=False)
    return clickhouse(request.getfixturevalue("clickhouse_server"), compress=request.param == "clickhouse-lz4")


@pytest.fixture(scope="module", params=ENGINES)
def warehouse(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with opened(request, tmp_path_factory) as warehouse:
        yield warehouse


def table(warehouse: Warehouse, columns: str, rest: str = "ENGINE = MergeTree ORDER BY tuple()") -> str:
    """A table of the test's own, with tokens remembered."""
    name = f"t{next(NUMBER)}"
    warehouse.execute(
        Statement(f"CREATE TABLE {name} ({columns}) {rest} SETTINGS non_replicated_deduplication_window = 100")
    )
    return name


def token() -> str:
    return f"token {next(NUMBER)}"


def count(warehouse: Warehouse, name: str) -> int:
    return int(warehouse.select(Statement(f"SELECT count() AS n FROM {name}")).array("n")[0])


def back(warehouse: Warehouse, type_name: str, column: Column) -> Array | list[str]:
    """The column, through a table."""
    name = table(warehouse, f"place UInt32, x {type_name}")
    size = len(column.codes if isinstance(column, Coded) else column)
    warehouse.insert(name, {"place": np.arange(size, dtype=np.uint32), "x": column}, token())
    answer = warehouse.select(Statement(f"SELECT x FROM {name} ORDER BY place"))
    assert answer.rows == size
    warehouse.execute(Statement(f"DROP TABLE {name}"))
    found = answer.columns["x"]
    return answer.texts("x") if isinstance(found, Coded) else found


def same_bytes(found: Array | list[str], sent: Array) -> None:
    assert isinstance(found, np.ndarray)
    assert found.dtype == sent.dtype
    assert found.tobytes() == sent.tobytes()


@pytest.mark.parametrize("type_name", INTEGERS)
@settings(max_examples=examples(10))
@given(data=st.data())
def test_integers_to_their_extremes(warehouse: Warehouse, type_name: str, data: st.DataObject) -> None:
    info = np.iinfo(INTEGERS[type_name])
    values = data.draw(st.lists(st.integers(int(info.min), int(info.max)), max_size=20))
    sent = np.array([info.min, *values, info.max, 0], INTEGERS[type_name])
    same_bytes(back(warehouse, type_name, sent), sent)


@settings(max_examples=examples(20))
@given(values=st.lists(st.floats(), max_size=20))
def test_floats_to_the_last_bit(warehouse: Warehouse, values: list[float]) -> None:
    sent = np.array([*values, math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308])
    same_bytes(back(warehouse, "Float64", sent), sent)


@settings(max_examples=examples(10))
@given(values=st.lists(st.integers(-2_208_988_800_000, 10_413_791_999_999), min_size=1, max_size=20))
def test_times_in_milliseconds(warehouse: Warehouse, values: list[int]) -> None:
    sent = np.array(values, np.int64)
    same_bytes(back(warehouse, "DateTime64(3, 'UTC')", sent), sent)


@pytest.mark.parametrize("type_name", RAW)
@settings(max_examples=examples(10))
@given(data=st.data())
def test_raw_bytes_with_their_nuls(warehouse: Warehouse, type_name: str, data: st.DataObject) -> None:
    size = RAW[type_name]
    values = data.draw(st.lists(st.binary(min_size=size, max_size=size), max_size=10))
    sent = np.frombuffer(b"".join([bytes(size), b"x" + bytes(size - 1), b"\xff" * size, *values]), f"V{size}")
    same_bytes(back(warehouse, type_name, sent), sent)


@settings(max_examples=examples(30))
@given(values=st.lists(TEXT, max_size=20))
def test_texts_whatever_is_in_them(warehouse: Warehouse, values: list[str]) -> None:
    sent = [*values, *HOSTILE, "x" * 20_000]
    assert back(warehouse, "String", sent) == sent
    codes = np.arange(len(sent), dtype=np.uint32)[::-1]
    assert back(warehouse, "LowCardinality(String)", Coded(codes, sent)) == sent[::-1]


def test_bytes_that_are_not_utf8_come_back_as_surrogates(warehouse: Warehouse) -> None:
    sent = [b"\xff\xfe", b"fine", b"", b"\0\xc3"]
    found = back(warehouse, "String", sent)
    assert isinstance(found, list)
    assert [text.encode("utf-8", "surrogateescape") for text in found] == sent


def test_texts_of_which_few_are_distinct_come_back_as_codes(warehouse: Warehouse) -> None:
    """Over several blocks, each with a dictionary of its own."""
    values = [f"text {place // 50_000 * 2 + place % 2}" for place in range(200_000)]
    sql = "SELECT toLowCardinality(concat('text ', toString(intDiv(number, 50000) * 2 + number % 2))) AS x"
    answer = warehouse.select(Statement(f"{sql} FROM numbers(200000)"))
    assert answer.texts("x") == values
    coded = answer.coded("x")
    assert [coded.texts[code] for code in coded.codes.tolist()] == values
    assert len(coded.texts) < 100
    plain = warehouse.select(Statement("SELECT toString(number % 3) AS x FROM numbers(9)")).coded("x")
    assert [plain.texts[code] for code in plain.codes.tolist()] == list("012" * 3)
    with pytest.raises(TypeError, match="not text"):
        warehouse.select(Statement("SELECT 1 AS x")).coded("x")


def test_wide_dictionaries(warehouse: Warehouse) -> None:
    texts = [f"key/{n}" for n in range(70_000)]
    found = back(warehouse, "LowCardinality(String)", Coded(np.arange(70_000, dtype=np.uint32), texts))
    assert found == texts


def test_columns_that_are_nearly_all_default(warehouse: Warehouse) -> None:
    """The engine keeps these sparse, and may send them so."""
    size = 50_000
    numbers, raw, texts = np.zeros(size, np.int64), bytearray(16 * size), [""] * size
    for place in (0, 1, 777, 40_000, size - 1):
        numbers[place], texts[place] = place - 3, f"text {place}"
        raw[16 * place : 16 * place + 5] = b"bytes"
    name = table(warehouse, "place UInt32, n Int64, r FixedString(16), s String, none Int64")
    sent: dict[str, Column] = {
        "place": np.arange(size, dtype=np.uint32), "n": numbers, "r": np.frombuffer(bytes(raw), "V16"), "s": texts,
    }  # fmt: skip
    warehouse.insert(name, sent, token())
    answer = warehouse.select(Statement(f"SELECT * FROM {name} ORDER BY place"))
    assert answer.array("n").tolist() == numbers.tolist()
    assert answer.array("r").tobytes() == bytes(raw)
    assert answer.texts("s") == texts
    assert not answer.array("none").any()
    last = warehouse.select(Statement(f"SELECT n, s FROM {name} WHERE place = {size - 1}"))
    assert (last.array("n").tolist(), last.texts("s")) == ([size - 4], [f"text {size - 1}"])


def test_an_answer_of_many_blocks_is_one(warehouse: Warehouse) -> None:
    sql = "SELECT number, toString(number) AS s, toLowCardinality(toString(number % 7)) AS k FROM numbers(300000)"
    answer = warehouse.select(Statement(f"{sql} ORDER BY number"))
    assert answer.rows == 300_000
    assert answer.rows_read >= 300_000
    assert answer.bytes_read > 0
    assert np.array_equal(answer.array("number"), np.arange(300_000))
    assert answer.texts("s")[299_999] == "299999"
    assert answer.texts("k")[:8] == ["0", "1", "2", "3", "4", "5", "6", "0"]


def test_an_empty_answer_has_every_column(warehouse: Warehouse) -> None:
    answer = warehouse.select(Statement("SELECT number, toString(number) AS s FROM numbers(10) WHERE number > 10"))
    assert (answer.rows, answer.texts("s"), answer.array("number").tolist()) == (0, [], [])


def test_no_rows_are_no_insert(warehouse: Warehouse) -> None:
    name, same = table(warehouse, "x Int64"), token()
    warehouse.insert(name, {"x": np.empty(0, np.int64)}, same)
    warehouse.insert(name, {"x": np.ones(1, np.int64)}, same)
    assert count(warehouse, name) == 1


def test_a_token_counts_once(warehouse: Warehouse) -> None:
    name, other, same = table(warehouse, "x Int64"), table(warehouse, "x Int64"), "it's \\ a\ttoken\0é"
    warehouse.insert(name, {"x": np.arange(3)}, same)
    warehouse.insert(name, {"x": np.arange(3)}, token())
    warehouse.insert(name, {"x": np.arange(3)}, same)
    warehouse.insert(name, {"x": np.arange(5)}, same)
    assert count(warehouse, name) == 6
    warehouse.insert(other, {"x": np.arange(5)}, same)
    assert count(warehouse, other) == 5


def test_a_version_is_another_after_each_insert_or_nobody_knows(warehouse: Warehouse) -> None:
    name, other = table(warehouse, "n UInt64"), table(warehouse, "n UInt64")
    versions, others = [warehouse.version(name)], [warehouse.version(other)]
    for number in range(3):
        warehouse.insert(name, {"n": np.array([number], np.uint64)}, token())
        versions.append(warehouse.version(name))
        others.append(warehouse.version(other))
    with pytest.raises(WarehouseRefused):
        warehouse.insert(name, {"no such column": np.array([1], np.uint64)}, token())
    if None in versions:
        assert set(versions) == set(others) == {None}
    else:
        assert len(set(versions)) == 4
        assert len(set(others)) == 1
        warehouse.execute(Statement(f"TRUNCATE TABLE {name}"))
        assert warehouse.version(name) not in versions


def test_views_inherit_the_token(warehouse: Warehouse) -> None:
    name, copy = table(warehouse, "x Int64"), table(warehouse, "x Int64")
    warehouse.execute(Statement(f"CREATE MATERIALIZED VIEW view_{name} TO {copy} AS SELECT x FROM {name}"))
    same = token()
    for rows in (3, 3, 4):
        warehouse.insert(name, {"x": np.arange(rows)}, same)
    # The view's rows are the same as before: it is the token that tells inserts apart, not what is in them.
    warehouse.insert(name, {"x": np.arange(3)}, token())
    assert (count(warehouse, name), count(warehouse, copy)) == (6, 6)


def test_a_million_rows_are_one_part(warehouse: Warehouse) -> None:
    size = 1_000_000
    name = table(warehouse, "k LowCardinality(String), x Int64")
    keys = Coded((np.arange(size) % 20).astype(np.uint32), [f"k{n}" for n in range(20)])
    warehouse.insert(name, {"k": keys, "x": np.arange(size)}, token())
    parts = warehouse.select(
        Statement(
            "SELECT rows, level FROM system.parts WHERE database = currentDatabase() AND table = {t:String} AND active",
            {"t": name},
        )
    )
    assert (parts.array("rows").tolist(), parts.array("level").tolist()) == ([size], [0])
    with pytest.raises(WarehouseRefused, match="1,000,001 rows"):
        warehouse.insert(name, {"x": np.arange(size + 1)}, token())
    assert np.array_equal(warehouse.select(Statement(f"SELECT x FROM {name} ORDER BY x")).array("x"), np.arange(size))
    warehouse.execute(Statement(f"DROP TABLE {name}"))


@pytest.mark.parametrize(
    ("columns", "said"),
    [({"x": np.array([1, -1, 1])}, "positive"), ({"x": np.arange(1, 4), "s": ["a", "\ud800", "b"]}, "surrogates")],
    ids=["constraint", "not unicode"],
)
def test_an_insert_with_a_row_that_can_t_be_held_is_refused_and_leaves_nothing(
    warehouse: Warehouse, columns: dict[str, Column], said: str
) -> None:
    name, same = table(warehouse, "x Int64, s String, CONSTRAINT positive CHECK x > 0"), token()
    with pytest.raises(WarehouseRefused, match=said):
        warehouse.insert(name, columns, same)
    assert count(warehouse, name) == 0
    warehouse.insert(name, {"x": np.arange(1, 4), "s": ["a", "b", "c"]}, same)
    assert count(warehouse, name) == 3


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"x": np.arange(1, 4), "y": np.arange(3)}, "y"),
        ({"x": ["1", "2", "3"]}, "x"),
        ({"x": np.zeros(3, "V16")}, "x"),
        ({"x": np.arange(1, 4), "s": ["a", "b"]}, "different lengths"),
    ],
    ids=["unknown column", "texts for numbers", "bytes for numbers", "lengths"],
)
def test_columns_that_don_t_fit_the_table_are_no_fault_of_a_row(
    warehouse: Warehouse, columns: dict[str, Column], said: str
) -> None:
    name, same = table(warehouse, "x Int64, s String"), token()
    with pytest.raises(WarehouseUnavailable, match=said):
        warehouse.insert(name, columns, same)
    assert count(warehouse, name) == 0
    warehouse.insert(name, {"x": np.arange(1, 4), "s": ["a", "b", "c"]}, same)
    assert count(warehouse, name) == 3


def test_an_insert_waits_for_a_column_that_is_not_there_yet(warehouse: Warehouse) -> None:
    name, same = table(warehouse, "x Int64"), token()
    columns: dict[str, Column] = {"x": np.arange(3), "y": np.arange(3)}
    with pytest.raises(WarehouseUnavailable):
        warehouse.insert(name, columns, same)
    warehouse.execute(Statement(f"ALTER TABLE {name} ADD COLUMN y Int64"))
    warehouse.insert(name, columns, same)
    assert count(warehouse, name) == 3


def test_names_are_never_sql(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseRefused):
        warehouse.insert("t (x) SELECT 1 --", {"x": np.arange(3)}, token())
    with pytest.raises(WarehouseUnavailable):
        warehouse.insert("there_is_no_such_table", {"x": np.arange(3)}, token())


@pytest.mark.parametrize(
    "sql", ["SELEC 1", "SELECT nothing FROM nowhere", "SELECT {missing:String}", "SELECT [1] AS a"]
)
def test_a_wrong_statement_is_refused_and_harms_no_other(warehouse: Warehouse, sql: str) -> None:
    with pytest.raises(WarehouseRefused):
        warehouse.select(Statement(sql))
    assert warehouse.select(Statement("SELECT 1 AS x")).array("x").tolist() == [1]


@settings(max_examples=examples(50))
@given(text=TEXT, texts=st.lists(TEXT, max_size=5))
def test_bound_texts_are_values(warehouse: Warehouse, text: str, texts: list[str]) -> None:
    sql = "SELECT {a:String} AS a, length({b:Array(String)}) AS n, {a:String} IN {b:Array(String)} AS found"
    answer = warehouse.select(Statement(sql, {"a": text, "b": texts}))
    assert answer.texts("a") == [text]
    assert (answer.array("n").tolist(), answer.array("found").tolist()) == ([len(texts)], [text in texts])
    assert warehouse.select(Statement("SELECT arrayJoin({b:Array(String)}) AS b", {"b": texts})).texts("b") == texts


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_values(warehouse: Warehouse, text: str) -> None:
    sql = "SELECT {a:String} AS a, {b:Array(String)}[2] AS b"
    answer = warehouse.select(Statement(sql, {"a": text, "b": ["", text]}))
    assert (answer.texts("a"), answer.texts("b")) == ([text], [text])


@settings(max_examples=examples(30))
@given(
    whole=st.integers(-(2**63), 2**63 - 1),
    real=st.floats(),
    small=st.lists(st.integers(0, 2**32 - 1), max_size=5),
    reals=st.lists(st.floats(allow_nan=False), max_size=5),
)
def test_bound_numbers_are_exact(
    warehouse: Warehouse, whole: int, real: float, small: list[int], reals: list[float]
) -> None:
    binds: dict[str, Bind] = {"w": whole, "r": real, "s": small, "f": reals}
    answer = warehouse.select(Statement("SELECT {w:Int64} AS w, {r:Float64} AS r", binds))
    assert answer.array("w").tolist() == [whole]
    found = float(answer.array("r")[0])
    assert (math.isnan(found) and math.isnan(real)) or (found, math.copysign(1, found)) == (
        real,
        math.copysign(1, real),
    )
    answer = warehouse.select(Statement("SELECT arrayJoin({s:Array(UInt32)}) AS s", binds))
    assert answer.array("s").tolist() == small
    answer = warehouse.select(Statement("SELECT arrayJoin({f:Array(Float64)}) AS f", binds))
    assert answer.array("f").tolist() == reals


def running(warehouse: Warehouse, mark: str) -> int:
    sql = "SELECT count() AS n FROM system.processes WHERE query LIKE {mark:String} AND query NOT LIKE '%processes%'"
    return int(warehouse.select(Statement(sql, {"mark": f"%{mark}%"})).array("n")[0])


def test_a_long_statement_times_out_and_stops(warehouse: Warehouse) -> None:
    mark = f"mark{next(NUMBER)}"
    long = Statement(f"SELECT count() AS {mark} FROM numbers(100000000000000) WHERE NOT ignore(cityHash64(number))")
    begun = time.monotonic()
    with pytest.raises(TimedOut):
        warehouse.select(long, timeout_seconds=0.3)
    assert time.monotonic() - begun < 5
    while running(warehouse, mark):
        assert time.monotonic() - begun < 10, "it still runs"
    assert warehouse.select(Statement("SELECT 1 AS x")).array("x").tolist() == [1]


def test_what_a_statement_answered_until_it_failed_is_in_no_other_answer(warehouse: Warehouse) -> None:
    fails = Statement("SELECT number AS x, throwIf(number = 300000) AS y FROM numbers(1000000)")
    own = Statement("SELECT 7 AS x")
    for _ in range(READERS):
        with pytest.raises((WarehouseRefused, WarehouseUnavailable)):
            warehouse.select(fails)
    for _ in range(READERS):
        assert warehouse.select(own).array("x").tolist() == [7]
    with pytest.raises(TimedOut):
        warehouse.select(Statement("SELECT number AS x FROM numbers(100000000000)"), timeout_seconds=0.1)
    with ThreadPoolExecutor(READERS) as pool:
        assert [one.array("x").tolist() for one in pool.map(lambda _: warehouse.select(own), range(20))] == [[7]] * 20


def test_a_statement_may_say_how_much_it_reads(warehouse: Warehouse) -> None:
    name = table(warehouse, "x Int64")
    warehouse.insert(name, {"x": np.arange(10_000)}, token())
    with pytest.raises(TooMuchToRead):
        warehouse.select(Statement(f"SELECT x FROM (SELECT x FROM {name} SETTINGS max_rows_to_read = 9000)"))
    assert warehouse.select(Statement(f"SELECT sum(x) AS s FROM {name}", wide=True)).array("s").tolist() == [49995000]


def test_one_thread_unless_the_statement_is_wide(warehouse: Warehouse) -> None:
    sql = "SELECT toUInt64(getSetting('max_threads')) AS n"
    cores = "SELECT value FROM system.settings WHERE name = 'max_threads'"
    assert warehouse.select(Statement(sql)).array("n").tolist() == [1]
    every = warehouse.select(Statement(cores, wide=True)).texts("value")[0]
    assert every != "1"
    assert warehouse.select(Statement(cores)).texts("value") == ["1"]


def test_readers_see_whole_inserts_at_once(warehouse: Warehouse) -> None:
    name, done = table(warehouse, "batch UInt32, x Int64"), threading.Event()
    wrong: list[object] = []
    seen: set[int] = set()

    def read() -> None:
        try:
            while not done.is_set():
                total = count(warehouse, name)
                seen.add(total)
                if total % 1000:
                    wrong.append(total)
        except Exception as error:
            wrong.append(error)

    readers = [threading.Thread(target=read) for _ in range(6)]
    for reader in readers:
        reader.start()
    for batch in range(20):
        columns: dict[str, Column] = {"batch": np.full(1000, batch, np.uint32), "x": np.arange(1000)}
        warehouse.insert(name, columns, token())
        # Another thread's next look has it.
        if count(warehouse, name) != 1000 * (batch + 1):
            wrong.append(f"batch {batch} is not there at once")
    done.set()
    for reader in readers:
        reader.join()
    assert not wrong
    assert len(seen) > 2


def test_many_threads_write(warehouse: Warehouse) -> None:
    name = table(warehouse, "x Int64")

    def write(thread: int) -> None:
        for n in range(10):
            warehouse.insert(name, {"x": np.full(10, thread)}, f"{name} {thread} {n % 5}")

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answer = warehouse.select(Statement(f"SELECT x, count() AS n FROM {name} GROUP BY x ORDER BY x"))
    assert answer.array("n").tolist() == [50] * 6


def test_migrations_make_the_tables_once(warehouse: Warehouse) -> None:
    assert migrate(warehouse) == list(migrations())
    assert migrate(warehouse) == []
    answer = warehouse.select(Statement("SELECT name FROM system.tables WHERE database = currentDatabase()"))
    assert {"points", "runs", "attrs", "series", "applied", "run_attrs"} <= set(answer.texts("name"))
    texts = Coded(np.zeros(2, np.uint32), ["events"])
    for offset in (5, 9):
        row: dict[str, Column] = {
            "topic": texts,
            "part": np.zeros(2, np.uint16),
            "next_offset": np.full(2, offset, np.uint64),
        }
        warehouse.insert("applied", row, token())
    assert warehouse.select(Statement("SELECT next_offset AS n FROM applied FINAL")).array("n").tolist() == [9]


@pytest.mark.parametrize("closed", ENGINES, indirect=True)
def test_a_closed_warehouse_is_unavailable(closed: Warehouse) -> None:
    closed.close()
    with pytest.raises(WarehouseUnavailable):
        closed.select(Statement("SELECT 1"))
    with pytest.raises(WarehouseUnavailable):
        closed.insert("x", {"x": np.arange(3)}, "t")
    with pytest.raises(WarehouseUnavailable):
        closed.execute(Statement("SELECT 1"))


@pytest.fixture
def closed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with opened(request, tmp_path_factory) as warehouse:
        warehouse.execute(Statement("SELECT 1"))
        warehouse.close()
        yield warehouse
