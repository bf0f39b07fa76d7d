"""Small reads are kept until the next batch, and never where nobody tells of batches."""

from __future__ import annotations

import fleetlog
from fleetlog_core.applied import AppliedWatch
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_query.kept import KEPT, Kept


class Reads:
    """Counts what is read."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        self.count += 1
        return self.count


class NoWarehouse:
    """Nobody waits for a position here, so nothing is asked."""

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> None:
        raise AssertionError(statement)


def watch() -> AppliedWatch:
    warehouse: Warehouse = NoWarehouse()  # type: ignore[assignment]
    return AppliedWatch(warehouse)


def test_without_word_of_batches_all_is_read() -> None:
    for applied in (None, watch()):
        read, kept = Reads(), Kept[str, int](applied)
        assert [kept.get("name", read) for _ in range(3)] == [1, 2, 3]


def test_it_holds_until_the_next_batch() -> None:
    applied, read = watch(), Reads()
    kept = Kept[str, int](applied)
    applied.poke()
    assert [kept.get("a", read), kept.get("a", read), kept.get("b", read)] == [1, 1, 2]
    applied.poke()
    assert kept.get("a", read) == 3


def test_it_keeps_so_many_at_most() -> None:
    applied, read = watch(), Reads()
    kept = Kept[int, int](applied)
    applied.poke()
    for name in range(KEPT + 1):
        kept.get(name, read)
    assert kept.get(KEPT, read) == KEPT + 1
    assert kept.get(0, read) == KEPT + 2


def test_a_new_name_of_an_experiment_is_known_at_once(embedded_target: str) -> None:
    client = fleetlog.Client(embedded_target)
    number = client.create_experiment("kept before").id
    assert client.get_experiment("kept before").id == number
    for round_ in range(5):
        client.update_experiment(number, name=f"kept {round_}")
        assert client.get_experiment(f"kept {round_}").id == number
        assert "kept before" not in {one.name for one in client.experiments()}
