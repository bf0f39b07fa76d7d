"""What changed is known from one moment to the next, or known not to be known."""

from __future__ import annotations

from typing import cast

import pytest
from fleetlog_core.warehouse.port import TimedOut
from fleetlog_query.changes import feed as changes
from fleetlog_query.changes.changed_runs import ChangedRuns
from fleetlog_query.changes.feed import ChangeFeed
from fleetlog_query.changes.position import AppliedPositions
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.scope import Scope


class Looks:
    """Stands for the positions of the log and for what changed since them."""

    def __init__(self) -> None:
        self.position = 0
        self.events = 1
        self.touched: dict[bytes, int] | None = {}

    def now(self) -> AsOf:
        return AsOf((self.position,) * self.events)

    def since(self, scope: Scope, pin: AsOf) -> dict[bytes, int] | None:
        if self.touched is None:
            return None
        return {run_id: until for run_id, until in self.touched.items() if until > pin.events[0]}


def test_changes_are_known_from_one_moment_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST", 3)
    looks = Looks()
    known = ChangeFeed(Scope("default", (1,)), cast(AppliedPositions, looks), cast(ChangedRuns, looks))
    known.advance()
    first = known.generation
    assert known.since(first) == set()
    looks.position, looks.touched = 5, {b"a": 3, b"b": 5}
    known.advance()
    second = known.generation
    assert (known.since(first), known.since(second)) == ({b"a", b"b"}, set())
    known.advance()
    assert known.generation == second, "nothing changed, so there is nothing to tell apart"
    looks.position, looks.touched = 9, {b"a": 3, b"b": 8}
    known.advance()
    assert (known.since(first), known.since(second)) == ({b"a", b"b"}, {b"b"})
    looks.position, looks.touched = 12, {b"c": 11}
    known.advance()
    assert known.since(first) is None, "more than is kept"
    assert known.since(second) == {b"b", b"c"}
    looks.touched = None
    known.advance()
    assert known.since(second) is None, "too many changed"
    latest = known.generation
    looks.touched, looks.events = {}, 2
    known.advance()
    assert known.since(latest) is None, "a log of other partitions"
    assert known.since(known.generation) == set()


def test_what_nobody_asks_for_is_forgotten() -> None:
    looks = Looks()
    known = ChangeFeed(Scope("default", (1,)), cast(AppliedPositions, looks), cast(ChangedRuns, looks))
    known.advance()
    looks.position, looks.touched = 5, {b"a": 3}
    known.advance()
    assert known.size == 1
    before = known.generation
    known.forget()
    assert (known.size, known.since(before), known.since(before - 1)) == (0, set(), None)


def test_a_look_that_failed_loses_no_change() -> None:
    looks = Looks()
    known = ChangeFeed(Scope("default", (1,)), cast(AppliedPositions, looks), cast(ChangedRuns, looks))
    known.advance()
    before = known.generation
    looks.position, looks.touched = 2, {b"a": 1}

    def too_late(scope: Scope, pin: AsOf) -> dict[bytes, int] | None:
        raise TimedOut("later")

    looks.since, since = too_late, looks.since  # type: ignore[method-assign]
    with pytest.raises(TimedOut):
        known.advance()
    looks.since = since  # type: ignore[method-assign]
    known.advance()
    assert known.since(before) == {b"a"}
