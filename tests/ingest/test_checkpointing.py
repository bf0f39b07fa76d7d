from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

import pytest
from fleetlog_core.warehouse.checkpoints import Checkpoints, PartsLost
from fleetlog_core.warehouse.port import WarehouseUnavailable
from fleetlog_ingest.checkpointing import Checkpointing

SOON = 30.0
LONG = 600.0


class Written(Checkpoints):
    """Says when one is written, and fails as it is told."""

    def __init__(self, *failures: Exception) -> None:
        self.times: SimpleQueue[None] = SimpleQueue()
        self._failures = list(failures)

    def write(self) -> None:
        self.times.put(None)
        if self._failures:
            raise self._failures.pop(0)


@contextmanager
def checkpointing(written: Written, quiet_seconds: float, longest_seconds: float) -> Iterator[Checkpointing]:
    """One that has begun, with its first checkpoint."""
    one = Checkpointing(written, lambda error: None, quiet_seconds, longest_seconds)
    one.start()
    written.times.get(timeout=SOON)
    try:
        yield one
    finally:
        one.close()


def test_one_is_written_when_it_is_quiet() -> None:
    written = Written()
    with checkpointing(written, 0.01, LONG) as one:
        one.poke()
        written.times.get(timeout=SOON)


def test_while_inserts_go_on_one_is_written_all_the_same() -> None:
    written, ended = Written(), threading.Event()
    with checkpointing(written, LONG, 0.1) as one:

        def insert() -> None:
            while not ended.wait(0.001):
                one.poke()

        inserting = threading.Thread(target=insert)
        inserting.start()
        try:
            for _ in range(3):
                written.times.get(timeout=SOON)
        finally:
            ended.set()
            inserting.join()


def test_none_is_written_where_nothing_was_inserted_but_a_last_one() -> None:
    written = Written()
    with checkpointing(written, 0.0, 0.0):
        pass
    written.times.get_nowait()
    with pytest.raises(Empty):
        written.times.get_nowait()


def test_the_last_one_is_not_waited_for_until_it_is_quiet() -> None:
    written = Written()
    with checkpointing(written, LONG, LONG) as one:
        one.poke()
    written.times.get_nowait()


def test_one_that_fails_is_tried_again() -> None:
    written = Written(WarehouseUnavailable("away"), WarehouseUnavailable("away"))
    with checkpointing(written, 0.01, LONG):
        for _ in range(2):
            written.times.get(timeout=SOON)


def test_parts_that_are_lost_are_told() -> None:
    told: SimpleQueue[BaseException] = SimpleQueue()
    one = Checkpointing(Written(PartsLost("points")), told.put)
    one.start()
    assert "points" in str(told.get(timeout=SOON))
    one.close()
