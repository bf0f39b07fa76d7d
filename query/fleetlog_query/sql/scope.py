"""Where a search looks, and what the rows there hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from fleetlog_query.language.fields import ATTRIBUTES, KIND_NUMBERS, STATES, Kind
from fleetlog_query.language.values import Key
from fleetlog_query.sql.as_of import BY_KEY, AsOf, attr_rows, keys_of, runs_source
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.branches import Branches, PointTables

_NO_PARENT = "toFixedString('', 16)"
_ATTRIBUTE_SQL = {
    "run_id": "lower(hex(run_id))",
    "name": "name",
    "user": "toString(user)",
    "state": "toFloat64(state)",
    "start_time": "toFloat64(toUnixTimestamp64Milli(start_time))",
    "end_time": "toFloat64(toUnixTimestamp64Milli(end_time))",
    "experiment_id": "toFloat64(experiment)",
    "parent_run_id": "lower(hex(parent_run_id))",
}
STATE_NAME_SQL = (
    f"transform(state, [{', '.join(str(one) for one in STATES.values())}], [{', '.join(map(repr, STATES))}], '')"
)
_ATTRIBUTE_TEXT = {
    "state": STATE_NAME_SQL, "start_time": "toString(start_time)", "end_time": "toString(end_time)",
    "experiment_id": "toString(experiment)",
}  # fmt: skip
_PRESENT = {"end_time": "toUnixTimestamp64Milli(end_time) != 0", "parent_run_id": f"parent_run_id != {_NO_PARENT}"}


@dataclass(frozen=True)
class Scope:
    """Runs that a search looks at: one namespace, some experiments; ids from `since` on, or only `run_ids`, or
    only in some stretches, each from its first id to its last.

    `as_of`: as everything was then; None = as it is. `branches`: tells where points are.
    """

    namespace: str
    experiments: tuple[int, ...]
    since: bytes = b""
    run_ids: tuple[bytes, ...] = ()
    stretches: tuple[tuple[bytes, bytes], ...] = ()
    as_of: AsOf | None = None
    branches: Branches = field(default=PointTables, compare=False)

    @property
    def point_tables(self) -> PointTables:
        """Tables of the points of its runs, by now: what is held of a scope may be older than its first branch."""
        return self.branches(self.namespace)

    def sql(self, binds: Binds) -> str:
        """Condition on rows of its runs."""
        clauses = [f"namespace = {binds.text(self.namespace)} AND {self._experiments(binds)}"]
        if self.since:
            clauses.append(f"run_id >= {binds.run_id(self.since)}")
        if self.run_ids:
            clauses.append(f"run_id IN {binds.run_ids(self.run_ids)}")
        if self.stretches:
            inside = [f"run_id >= {binds.run_id(one)} AND run_id <= {binds.run_id(two)}" for one, two in self.stretches]
            clauses.append(f"({' OR '.join(f'({one})' for one in inside)})")
        return " AND ".join(clauses)

    def looks_in(self, experiment: int) -> bool:
        """True if runs of an experiment may be in it."""
        return experiment in self.experiments

    def _experiments(self, binds: Binds) -> str:
        if len(self.experiments) == 1:
            # With one for all, rows come in the order of the keys that follow it: the last ones are found at the end.
            return f"experiment = {binds.whole(self.experiments[0])}"
        return f"experiment IN {binds.numbers(self.experiments)}"

    def runs(self, binds: Binds) -> str:
        """The table of its runs, for FROM; others may be in it too."""
        return runs_source(self.sql(binds) if self.as_of else "", self.as_of, binds)


def key_rows(keys: Iterable[Key], scope: Scope, binds: Binds, *, superseded: bool = False) -> str:
    """The rows of some keys, latest each: FROM and WHERE. Rows of others may be among them.

    `superseded`: the rows before the latest may be among them too, which reads much less.
    """
    where = scope.sql(binds)
    if scope.as_of is None:
        return f"FROM attrs{'' if superseded else ' FINAL'} WHERE {where} AND removed = 0"
    kinds: dict[str, frozenset[str] | None] = {}
    for key in keys:
        kinds[key.kind] = None if key.kind == "datasets" else (kinds.get(key.kind) or frozenset()) | {key.key}
    return f"FROM ({attr_rows(BY_KEY, where, scope.point_tables, keys_of(kinds, binds), scope.as_of, binds)}) WHERE 1"


def attrs_of(kind: Kind, key: str, scope: Scope, binds: Binds, *, superseded: bool = False) -> str:
    """The rows of one key, latest each: FROM and WHERE. `superseded`: see key_rows."""
    rows = key_rows([Key(kind, key)], scope, binds, superseded=superseded)
    return f"{rows} AND kind = {KIND_NUMBERS[kind]} AND key = {binds.text(key)}"


def attribute_sql(key: str) -> tuple[str, str, bool]:
    """An attribute over rows of `runs`: its expression, the condition that it is there, and whether it is a number."""
    numeric = ATTRIBUTES[key] in ("time", "number", "state")
    return _ATTRIBUTE_SQL[key], _PRESENT.get(key, "1"), numeric


def attribute_text_sql(key: str) -> tuple[str, str]:
    """An attribute as text over rows of `runs`, and the condition that it is there. Times are such as filters take."""
    sql, present, _ = attribute_sql(key)
    return _ATTRIBUTE_TEXT.get(key, sql), present
