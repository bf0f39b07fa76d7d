"""What a machine lacks is never taken for what is in a row: the engine runs out of files, memory and disk for real."""

from __future__ import annotations

import os
import re
import resource
import signal
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from fleetlog_core.warehouse import engine
from fleetlog_core.warehouse.chdb import ChdbWarehouse
from fleetlog_core.warehouse.engine import insert_error, statement_error
from fleetlog_core.warehouse.port import (
    Statement,
    TimedOut,
    TooMuchToRead,
    Warehouse,
    WarehouseRefused,
    WarehouseUnavailable,
)

from tests.own_processes import in_fresh_process

ROWS = (20, 20_000)
"""Rows of a small insert and of a load, which take two ways into the engine."""


def _files() -> tuple[int, int]:
    return resource.RLIMIT_NOFILE, len(list(Path("/proc/self/fd").iterdir())) + 1


def _memory() -> tuple[int, int]:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return resource.RLIMIT_AS, pages * resource.getpagesize() + 1


def _file_size() -> tuple[int, int]:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    return resource.RLIMIT_FSIZE, 100


@contextmanager
def lacking(kind: int, soft: int) -> Iterator[None]:
    """The process may have no more of it than `soft`."""
    before, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (before, hard))


def _insert(warehouse: Warehouse, number: int, rows: int) -> None:
    texts = [os.urandom(8).hex() for _ in range(rows)]
    warehouse.insert("t", {"x": np.arange(rows) + number * 1_000_000, "s": texts}, f"token {number}")


def _lacks(path: Path, limit: Callable[[], tuple[int, int]]) -> set[str]:
    """Shortages that inserts told of. The process may also be killed by its engine, or stand still in it."""
    warehouse = ChdbWarehouse(path)
    window = "SETTINGS non_replicated_deduplication_window = 100"
    warehouse.execute(Statement(f"CREATE TABLE t (x Int64, s String) ENGINE = MergeTree ORDER BY x {window}"))
    said: set[str] = set()
    with lacking(*limit()):
        for number in range(12):
            try:
                _insert(warehouse, number, ROWS[number % 2])
            except WarehouseUnavailable as error:
                said.add(error.shortage)
    warehouse.close()
    return said


def _again(path: Path) -> None:
    """Insert with the tokens of before: each block is in once, whatever became of it before."""
    warehouse = ChdbWarehouse(path)
    for _ in range(2):
        for number in range(12):
            _insert(warehouse, number, ROWS[number % 2])
    rows = warehouse.select(Statement("SELECT count() AS n, uniqExact(x) AS d FROM t"))
    assert [int(rows.array(name)[0]) for name in ("n", "d")] == [sum(ROWS) * 6] * 2
    warehouse.close()


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (_files, {"it has too many open files"}),
        (_memory, {"its memory is used up", "it can start no more threads"}),
        (_file_size, {"a file of it has reached the largest size allowed"}),
    ],
    ids=["files", "memory", "file size"],
)
def test_an_insert_that_the_machine_has_no_room_for_is_done_again(
    tmp_path: Path, limit: Callable[[], tuple[int, int]], words: set[str]
) -> None:
    try:
        said = in_fresh_process(_lacks, tmp_path, limit, seconds=60.0)
    except (BrokenProcessPool, TimeoutError):
        # Without memory chDB may die, or wait for itself without end. That is no verdict on a row either.
        assert limit is _memory
    else:
        assert said & words, said
    in_fresh_process(_again, tmp_path)


def _names(path: Path) -> None:
    warehouse = ChdbWarehouse(path)
    found = warehouse.select(
        Statement(
            "SELECT toUInt64(number) AS code, errorCodeToName(number) AS name FROM numbers(2000) WHERE name != ''"
        )
    )
    names = dict(zip(found.array("code").tolist(), found.texts("name"), strict=True))
    warehouse.close()
    said = dict(re.findall(r"^    (\d+)(?:: errno\.\w+)?,  # (\w+)$", Path(engine.__file__).read_text(), re.MULTILINE))
    assert len(said) > 100
    assert {code: names[int(code)] for code in said} == said
    for code in [*names, 0, 5_000]:
        made, asked = insert_error(code, "words"), statement_error(code, "words")
        if isinstance(made, WarehouseRefused) and not isinstance(made, TooMuchToRead):
            assert isinstance(asked, WarehouseRefused)
        if str(code) not in said:
            assert isinstance(made, WarehouseUnavailable)
            assert isinstance(asked, WarehouseUnavailable)


def test_a_code_that_is_not_listed_is_no_verdict(tmp_path: Path) -> None:
    in_fresh_process(_names, tmp_path)


@pytest.mark.parametrize(
    "code", [16, 33, 36, 60, 74, 75, 76, 117, 173, 204, 241, 243, 252, 425, 439, 573, 1000, 1001, 1002, 0]
)
def test_an_insert_is_refused_for_no_fault_of_the_machine_or_the_schema(code: int) -> None:
    assert isinstance(insert_error(code, "words"), WarehouseUnavailable)


@pytest.mark.parametrize("code", [62, 167, 168, 229, 306, 427])
def test_a_statement_that_can_t_be_run_ever_is_refused(code: int) -> None:
    assert isinstance(statement_error(code, "words"), WarehouseRefused)


def test_a_time_that_is_over_is_neither() -> None:
    assert isinstance(insert_error(159, "words"), TimedOut)
    assert isinstance(statement_error(159, "words"), TimedOut)
    assert isinstance(statement_error(158, "words"), TooMuchToRead)


def test_the_words_for_clients_are_none_of_the_engine_s() -> None:
    said = "Cannot open file /data/store/x: , errno: 28, strerror: No space left on device"
    error = insert_error(76, said)
    assert isinstance(error, WarehouseUnavailable)
    assert (str(error), error.shortage) == (said, "its disk is full")
