"""Reads of columns. Those of many keys are read by one statement: each by its own costs 20 ms of analysis."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from fleetlog_core.warehouse.port import Answer, Statement

from fleetlog_query.column_cache.columns import Column, Source
from fleetlog_query.language.fields import KIND_NUMBERS
from fleetlog_query.language.values import Reduction, Series
from fleetlog_query.runs.read_mask import ReadMask
from fleetlog_query.runs.run_keys import RunKeys, run_keys_statement
from fleetlog_query.series.series_rows import Select
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.scope import Scope, key_rows
from fleetlog_query.sql.value_rows import series_rows
from fleetlog_query.warehouse.rows import rows_of

FEW = 256
"""Maximum of runs that are read by id; more are read by key."""
MANY_KEYS = 4
"""Columns of this many keys, or more, are read together."""
TOGETHER_VALUES = 4_000_000
"""Values of one statement: of more runs fewer keys are read together."""
_NO_ROWS = Answer({}, 0, 0, 0)


def read_columns(columns: Mapping[Source, Column], scope: Scope, select: Select, *, wide: bool) -> dict[Source, Column]:
    """The columns with what the runs of a scope have, which are among their runs; what is given is used up."""
    read: dict[Source, Column] = {}
    by_run = [source for source in columns if source.key is not None]
    if 0 < len(scope.run_ids) <= FEW and by_run:
        mask = mask_of(by_run)
        statement = run_keys_statement(scope.namespace, scope.run_ids, mask, scope.as_of, scope.branches)
        values = RunKeys(select(statement), mask)
        read |= {source: columns[source].put_by_run(source, values) for source in by_run}
    elif len(by_run) >= MANY_KEYS:
        for some in _portions(by_run, columns):
            values = RunKeys(select(_keys_statement(some, scope, wide=wide)), mask_of(some))
            read |= {source: columns[source].put_by_run(source, values) for source in some}
    for function, whole in _by_function(columns).items():
        if len(whole) >= MANY_KEYS:
            for some in _portions(whole, columns):
                answers = _by_key(select(_series_statement(function, some, scope, wide=wide)))
                read |= {one: columns[one].put(one, answers.get(one.value.key, _NO_ROWS)) for one in some}
    for source, column in columns.items():
        if source not in read:
            read[source] = column.put(source, select(source.statement(scope, wide=wide)))
    return read


def text_sizes(sources: Collection[Source], scope: Scope, select: Select) -> dict[Source, int]:
    """Bytes of the texts of columns."""
    by_run = {source.key: source for source in sources if source.key is not None}
    found: dict[Source, int] = {}
    if len(by_run) >= MANY_KEYS:
        binds = Binds()
        sql = f"SELECT kind, key, sum(length(str)) AS size {_key_rows(by_run.values(), scope, binds)}"
        answer = select(binds.statement(f"{sql} GROUP BY kind, key", wide=True))
        sizes = {(kind, name): size for kind, name, size in rows_of(answer, "kind", "key", "size")}
        found = {of: sizes.get((KIND_NUMBERS[key.kind], key.key), 0) for key, of in by_run.items()}
    for source in sources:
        if source not in found:
            binds = Binds()
            sql = f"SELECT sum(length(s)) AS size FROM ({source.rows(scope, binds)})"
            found[source] = int(select(binds.statement(sql, wide=True)).array("size")[0])
    return found


def mask_of(sources: Iterable[Source]) -> ReadMask:
    """The keys of columns that are read by run."""
    mask = ReadMask()
    for source in sources:
        mask = mask.with_key(source.key) if source.key is not None else mask
    return mask


def _portions(sources: Sequence[Source], columns: Mapping[Source, Column]) -> Iterator[Sequence[Source]]:
    """The sources in parts that are not too much for one statement."""
    size = max(MANY_KEYS, TOGETHER_VALUES // max(1, len(columns[sources[0]].ids)))
    for first in range(0, len(sources), size):
        yield sources[first : first + size]


def _keys_statement(sources: Collection[Source], scope: Scope, *, wide: bool) -> Statement:
    """Rows of many keys, as `run_keys_statement` has what some runs have."""
    binds = Binds()
    sql = f"SELECT run_id, kind, key, num, str, type, ver {_key_rows(sources, scope, binds)}"
    return binds.statement(f"{sql} ORDER BY kind, key, run_id", wide=wide)


def _key_rows(sources: Collection[Source], scope: Scope, binds: Binds) -> str:
    keys = [source.key for source in sources if source.key is not None]
    return f"{key_rows(keys, scope, binds)} AND ({mask_of(sources).sql(binds)})"


def _by_function(sources: Iterable[Source]) -> dict[Reduction, list[Source]]:
    """Functions over all points of metrics."""
    found: dict[Reduction, list[Source]] = {}
    for source in sources:
        if isinstance(source.value, Series) and source.value.window is None:
            found.setdefault(source.value.function, []).append(source)
    return found


def _series_statement(function: Reduction, sources: Sequence[Source], scope: Scope, *, wide: bool) -> Statement:
    """run_id, key and v of many metrics, by key and run id."""
    binds = Binds()
    rows = series_rows(function, [source.value.key for source in sources], scope, binds)
    return binds.statement(f"SELECT * FROM ({rows}) ORDER BY key, run_id", wide=wide)


def _by_key(answer: Answer) -> dict[str, Answer]:
    """The rows of each key, which stand together."""
    if not answer.rows:
        return {}
    keys = answer.coded("key")
    edges = [0, *(np.flatnonzero(np.diff(keys.codes)) + 1).tolist(), answer.rows]
    names = ("run_id", "v")
    return {
        keys.texts[keys.codes[first]]: Answer(
            {name: answer.array(name)[first:last] for name in names}, last - first, 0, 0
        )
        for first, last in pairwise(edges)
    }
