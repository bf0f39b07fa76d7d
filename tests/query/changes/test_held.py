"""What is held between questions: as much as may be, and each for one question at a time."""

from __future__ import annotations

from typing import cast

import pytest
from fleetlog_core.warehouse.port import TimedOut, Warehouse
from fleetlog_query.changes.changed_runs import ChangedRuns, WholeNamespace
from fleetlog_query.changes.feed import ChangeFeed
from fleetlog_query.changes.held import Held
from fleetlog_query.changes.position import AppliedPositions
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.warehouse.cancellable import CancellableWarehouse, Work

A, B, C = (WholeNamespace(name) for name in "abc")


class Value:
    """Something of a size; of which `kept` bytes can't go."""

    def __init__(self, place: WholeNamespace, feed: ChangeFeed) -> None:
        self.place = place
        self.feed = feed
        self.size_bytes = 0
        self.kept_bytes = 0

    def let_go(self, size_bytes: int) -> None:
        self.size_bytes = max(self.kept_bytes, min(self.size_bytes, size_bytes))


class Log:
    """Stands for a log in which nothing happens."""

    def now(self) -> AsOf:
        return AsOf((0,))

    def since(self, place: WholeNamespace, position: AsOf) -> dict[bytes, int]:
        return {}


def held_of(size_bytes: int) -> Held[WholeNamespace, Value]:
    log = Log()
    return Held(Value, cast(AppliedPositions, log), cast(ChangedRuns, log), size_bytes)


def ask(held: Held[WholeNamespace, Value], place: WholeNamespace, size_bytes: int, kept_bytes: int = 0) -> Value:
    with held.of(place) as value:
        value.size_bytes, value.kept_bytes = size_bytes, kept_bytes
    return value


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    held = held_of(100)
    values = {place: ask(held, place, 40) for place in (A, B)}
    ask(held, A, 40)
    ask(held, C, 40)
    assert held.peek(A) is values[A]
    assert held.peek(B) is None
    assert held.peek(C) is not None


def test_the_last_one_lets_go_of_a_part_of_itself() -> None:
    held = held_of(100)
    value = ask(held, A, 150, kept_bytes=30)
    assert held.peek(A) is value
    assert value.size_bytes == 100


def test_what_is_too_large_by_itself_is_not_held() -> None:
    held = held_of(100)
    ask(held, A, 150, kept_bytes=120)
    assert held.peek(A) is None
    assert ask(held_of(0), B, 1, kept_bytes=1).size_bytes == 1


def test_a_question_waits_no_longer_for_another_than_it_may() -> None:
    held = held_of(100)

    def ask_again() -> None:
        ask(held, A, 1)

    with held.of(A), pytest.raises(TimedOut):
        CancellableWarehouse(cast(Warehouse, Log())).run(Work(0.001), ask_again)
    ask_again()
