"""Small reads are kept until the table changes, and never where nobody can tell."""

from __future__ import annotations

import fleetlog
from fleetlog_query.warehouse.versioned_cache import KEPT, VersionedCache

from tests.warehouses import Untouched


class Reads:
    """Counts what is read."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        self.count += 1
        return self.count


class Versions(Untouched):
    """A warehouse of which only the version of the table `named` is asked."""

    def __init__(self, version: int | None) -> None:
        self.now = version

    def version(self, table: str) -> int | None:
        assert table == "named"
        return self.now


def test_where_others_write_too_all_is_read() -> None:
    read, kept = Reads(), VersionedCache[str, int](Versions(None), "named")
    assert [kept.get("name", read) for _ in range(3)] == [1, 2, 3]


def test_it_holds_until_the_next_insert() -> None:
    warehouse, read = Versions(0), Reads()
    kept = VersionedCache[str, int](warehouse, "named")
    assert [kept.get("a", read), kept.get("a", read), kept.get("b", read)] == [1, 1, 2]
    warehouse.now = 1
    assert kept.get("a", read) == 3


def test_it_keeps_so_many_at_most() -> None:
    read, kept = Reads(), VersionedCache[int, int](Versions(0), "named")
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
