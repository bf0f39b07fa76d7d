"""Thousands of runs as columns, without an object for each value.

Each row of `run_attrs` is put where it belongs by its run's place in the block and its key's number; sorted by key, the
rows of each key are one slice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from fleetlog_core.ids import ID_BYTES
from fleetlog_core.warehouse.port import Array, Statement, Warehouse
from fleetlog_core.warehouse.schema import KeyKind, ParamType

from fleetlog_query.language.fields import KIND_NUMBERS
from fleetlog_query.runs.read_mask import ReadMask, run_key_rows
from fleetlog_query.runs.run_rows import RUN_COLUMNS
from fleetlog_query.sql.as_of import AsOf, runs_source
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.branches import Branches, PointTables
from fleetlog_query.warehouse.holding import TEXT_BYTES, size_of

MOST_CELLS = 4_000_000
"""Keys × runs of one block, 36 MB as columns. Runs with many keys go in smaller blocks."""
_EXACT = 1 << 53
_TEXT = (
    f"if(kind = {KeyKind.METRIC} OR type = {ParamType.REAL} OR (type = {ParamType.WHOLE} AND abs(num) < {_EXACT}),"
    " '', str)"
)
"""The text of what the number alone does not tell."""
_USE_INDEX = "SETTINGS use_index_for_in_with_subqueries_max_values = 0"
"""However many the ids are: they are spread over a table that is far larger."""
_KIND_NAMES: Mapping[int, str] = {number: kind for kind, number in KIND_NUMBERS.items()}
Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class KeyColumn:
    """One key: the runs that have it, by their places in the block, and their values, in the order of `places`.

    `types` are field numbers of Param, `texts` are empty where the number tells all; both are of no matter for metrics.
    """

    kind: str
    key: str
    places: Places
    numbers: npt.NDArray[np.float64]
    types: npt.NDArray[np.uint8]
    texts: npt.NDArray[np.uint32]


@dataclass(frozen=True)
class RunBlock:
    """Runs in order: their attributes as RUN_COLUMNS names them, and their keys by kind and name.

    `places` are where they stood among the ids that were asked for; `texts` are what KeyColumn.texts are codes of.
    """

    places: Places
    attributes: Mapping[str, Array | list[str]]
    keys: Sequence[KeyColumn]
    texts: Sequence[str]

    @property
    def size(self) -> int:
        """Runs."""
        return len(self.places)

    @property
    def bytes(self) -> int:
        """Bytes of memory that it takes, about."""
        keys = sum(
            column.places.nbytes + column.numbers.nbytes + column.types.nbytes + column.texts.nbytes
            for column in self.keys
        )
        return keys + self.places.nbytes + size_of(self.attributes.values()) + TEXT_BYTES * len(self.texts)


@dataclass(frozen=True)
class _Cells:
    """Values of runs, each with its run's place and the number of its key in `names`."""

    places: Places
    keys: npt.NDArray[Any]
    numbers: npt.NDArray[np.float64]
    types: npt.NDArray[np.uint8]
    texts: npt.NDArray[np.uint32]

    def of(self, chosen: npt.NDArray[Any], first: int = 0) -> _Cells:
        """Cells of some of them, with places counted from `first`."""
        return _Cells(
            self.places[chosen] - first, self.keys[chosen], self.numbers[chosen], self.types[chosen],
            self.texts[chosen],
        )  # fmt: skip


@dataclass(frozen=True)
class _Read:
    cells: _Cells
    names: Sequence[tuple[str, str]]
    texts: Sequence[str]


class RunColumns:
    """Reads blocks."""

    def __init__(self, warehouse: Warehouse, branches: Branches) -> None:
        self._warehouse = warehouse
        self._branches = branches

    def read(
        self,
        namespace: str,
        experiments: Sequence[int],
        run_ids: bytes,
        mask: ReadMask,
        as_of: AsOf | None = None,
    ) -> Iterator[RunBlock]:
        """The runs of these ids, 16 bytes each, in that order; more than one block when they have many keys.

        Runs that are not there are left out. TimedOut.
        """
        attributes, run_ids, places = self._attributes(namespace, experiments, run_ids, as_of)
        if not run_ids:
            return
        mask = mask.without_datasets
        read = self._keys(namespace, run_ids, mask, as_of) if mask.kinds else None
        if read is None:
            yield RunBlock(places, attributes, [], [])
            return
        for first, last, cells in _parts(read.cells, 0, len(places)):
            some = {name: column[first:last] for name, column in attributes.items()}
            yield RunBlock(places[first:last], some, list(_columns(cells, read.names)), read.texts)

    def _attributes(
        self,
        namespace: str,
        experiments: Sequence[int],
        run_ids: bytes,
        as_of: AsOf | None,
    ) -> tuple[dict[str, Array | list[str]], bytes, Places]:
        """Attributes in the order of the ids; the ids of those that are there, and their places."""
        binds = Binds()
        where = (
            f"namespace = {binds.text(namespace)} AND experiment IN {binds.numbers(list(experiments))}"
            f" AND {_among(run_ids, binds)}"
        )
        sql = f"SELECT {RUN_COLUMNS} FROM {runs_source(where, as_of, binds)} WHERE {where}"
        answer = self._warehouse.select(_indexed(sql, binds))
        if not answer.rows:
            return {}, b"", np.empty(0, np.intp)
        places = _places(run_ids, answer.array("run_id"))
        order = np.argsort(places)
        columns: dict[str, Array | list[str]] = {}
        for name in ("run_id", "experiment", "state", "start_millis", "end_millis", "parent_run_id", "deleted"):
            columns[name] = answer.array(name)[order]
        for name in ("name", "user"):
            texts = answer.texts(name)
            columns[name] = [texts[place] for place in order.tolist()]
        return columns, answer.array("run_id")[order].tobytes(), places[order]

    def _keys(self, namespace: str, run_ids: bytes, mask: ReadMask, as_of: AsOf | None) -> _Read | None:
        binds = Binds()
        where = f"namespace = {binds.text(namespace)} AND {_among(run_ids, binds)}"
        tables = PointTables(namespace) if as_of is None else self._branches(namespace)
        rows = run_key_rows(where, tables, mask, as_of, binds)
        sql = f"SELECT run_id, kind, key, num, type, toLowCardinality({_TEXT}) AS text {rows}"
        answer = self._warehouse.select(_indexed(sql, binds))
        if not answer.rows:
            return None
        key, text = answer.coded("key"), answer.coded("text")
        numbers = key.codes.astype(np.intp) * 4 + answer.array("kind")
        used = np.flatnonzero(np.bincount(numbers)).tolist()
        named = sorted((number % 4, key.texts[number // 4], number) for number in used)
        # Numbers of 16 bits sort by radix, several times as fast.
        rank = np.zeros(used[-1] + 1, np.uint16 if len(named) <= 1 << 16 else np.uint32)
        rank[[number for _, _, number in named]] = np.arange(len(named))
        cells = _Cells(
            _places(run_ids, answer.array("run_id")), rank[numbers], answer.array("num"), answer.array("type"),
            text.codes,
        )  # fmt: skip
        return _Read(cells, [(_KIND_NAMES[kind], name) for kind, name, _ in named], text.texts)


def _among(run_ids: bytes, binds: Binds) -> str:
    """The range of the ids, which costs next to nothing in the table's order, and the ids."""
    ids = np.sort(np.frombuffer(run_ids, f"S{ID_BYTES}"))
    low, high = (bytes(one).ljust(ID_BYTES, b"\0") for one in (ids[0], ids[-1]))
    within = f"run_id >= {binds.run_id(low)} AND run_id <= {binds.run_id(high)}"
    return f"{within} AND run_id IN {binds.packed_ids(run_ids)}"


def _indexed(sql: str, binds: Binds) -> Statement:
    return Statement(f"SELECT * FROM ({sql} {_USE_INDEX})", binds.values)


def _places(run_ids: bytes, column: Array) -> Places:
    """Places of the id of each row among the ids. The rows of a run mostly stand together: one look-up for them."""
    ids = np.frombuffer(run_ids, f"S{ID_BYTES}")
    order = np.argsort(ids)
    words = np.ascontiguousarray(column).view(np.uint64).reshape(-1, 2)
    begins = np.flatnonzero(np.concatenate([[True], (words[1:] != words[:-1]).any(axis=1)]))
    found = order[np.searchsorted(ids, column[begins].view(ids.dtype), sorter=order)]
    return np.repeat(found, np.diff(begins, append=len(column)))


def _parts(cells: _Cells, first: int, last: int) -> Iterator[tuple[int, int, _Cells]]:
    """(first place, last, its values) of parts of at most MOST_CELLS, or of one run; cells come with places from 0."""
    keys = int(np.count_nonzero(np.bincount(cells.keys, minlength=1)))
    if keys * (last - first) <= MOST_CELLS or last - first == 1:
        yield first, last, cells
        return
    half = (last - first) // 2
    yield from _parts(cells.of(cells.places < half), first, first + half)
    yield from _parts(cells.of(cells.places >= half, half), first + half, last)


def _columns(cells: _Cells, names: Sequence[tuple[str, str]]) -> Iterator[KeyColumn]:
    cells = cells.of(np.argsort(cells.keys, kind="stable"))
    begins = np.flatnonzero(np.diff(cells.keys, prepend=-1)) if len(cells.keys) else np.empty(0, np.intp)
    for begin, end in zip(begins.tolist(), [*begins[1:].tolist(), len(cells.keys)], strict=False):
        kind, key = names[int(cells.keys[begin])]
        yield KeyColumn(
            kind, key, cells.places[begin:end], cells.numbers[begin:end], cells.types[begin:end], cells.texts[begin:end]
        )
