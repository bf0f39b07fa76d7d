"""Runs as they were, read while they change.

A statement reads one table a moment before another. When something of a run becomes different between the two, the
statement takes it neither from the past nor from the present. So it is asked before and behind the read what of the
runs is different from what it was then, and runs of which that is no longer the same are read again. What differs
already differs for good, and its past is what it was: how often it changes meanwhile does not matter.

A batch writes what tells that a series changed before its latest value, in `series` before `attrs` and in `run_series`
before `run_attrs`; a run's state and a tag tell it themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from fleetlog_core.warehouse.port import Statement, Warehouse

from fleetlog_query.as_of import PLACE_BITS, AsOf, Tables, changed_series, keys_of
from fleetlog_query.binds import Binds
from fleetlog_query.filter.fields import KIND_NUMBERS

ROUNDS = 6
"""Attempts at what runs were while they change still."""

Kinds = Mapping[str, frozenset[str] | None]
"""Keys by kind, None = all of it."""
Marks = Callable[[Sequence[bytes]], Mapping[bytes, int]]
"""Of runs, a number that is another one when what is read of them may be; none is a number too."""


def settle(run_ids: Iterable[bytes], read: Callable[[list[bytes]], None], marks: Marks) -> None:
    """Have `read` look up how these runs were; again for those that became different while it looked."""
    left = list(run_ids)
    before = marks(left) if left else {}
    for _ in range(ROUNDS):
        if not left:
            return
        read(left)
        after = marks(left)
        left = [one for one in left if before.get(one) != after.get(one)]
        before = after


def differences(
    warehouse: Warehouse, tables: Tables, kinds: Kinds, where: Callable[[Sequence[bytes], Binds], str], as_of: AsOf,
    timeout_seconds: float,
) -> Marks:  # fmt: skip
    """How many of the keys of these kinds differ from what they were, and the run's own state with "attributes".

    `where`: a condition on rows of all the tables. TimedOut when it is asked.
    """

    def marks(run_ids: Sequence[bytes]) -> Mapping[bytes, int]:
        binds = Binds()
        arms = _arms(tables, kinds, where(run_ids, binds), as_of, binds)
        if not arms:
            return {}
        sql = f"SELECT run_id, uniqExact(what) AS n FROM ({' UNION ALL '.join(arms)}) GROUP BY run_id"
        answer = warehouse.select(Statement(sql, binds.values), timeout_seconds=timeout_seconds)
        ids = (one.tobytes() for one in answer.array("run_id"))
        return dict(zip(ids, answer.array("n").tolist(), strict=True))

    return marks


def _arms(tables: Tables, kinds: Kinds, where: str, as_of: AsOf, binds: Binds) -> list[str]:
    arms = []
    if "attributes" in kinds:
        arms.append(f"SELECT run_id, '' AS what FROM runs WHERE {where} AND ver >= {as_of.bound(binds)}")
    wanted = keys_of(kinds, binds)
    if "metrics" in wanted:
        series = changed_series(tables, f"{where} AND {wanted['metrics']}", as_of, binds)
        arms.append(f"SELECT run_id, concat('metrics ', key) AS what FROM ({series})")
    if "tags" in wanted:
        # A param is written once: its row tells whether it was there.
        arms.append(
            f"SELECT run_id, concat('tags ', key) AS what FROM {tables.attrs} WHERE {where}"
            f" AND kind = {KIND_NUMBERS['tags']} AND {wanted['tags']}"
            f" AND toUInt64(ver) >= {as_of.bound(binds, PLACE_BITS)}"
        )
    return arms
