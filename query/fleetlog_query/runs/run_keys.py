"""The params, tags, metrics and datasets of some runs, as rows of `run_attrs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from fleetlog_core.datasets import dataset_of
from fleetlog_core.ordered import unpack_moments
from fleetlog_core.params import param_of
from fleetlog_core.run_models import put_model
from fleetlog_core.warehouse.port import Answer, Statement, Warehouse
from fleetlog_core.warehouse.schema import KeyKind, ParamType
from fleetlog_proto.v1 import run_pb2

from fleetlog_query.language.fields import KIND_NUMBERS
from fleetlog_query.language.values import Key
from fleetlog_query.runs.read_mask import ReadMask, run_key_rows
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.branches import Branches, PointTables


@dataclass(frozen=True, slots=True)
class KeyValues:
    """The runs that have a key, by id, with its number and its text. `numeric`: which of the numbers are values; a
    param that is a text which is no number has NaN there."""

    run_ids: npt.NDArray[np.void]
    numbers: npt.NDArray[np.float64]
    texts: list[str]
    numeric: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RunKeys:
    """Keys that were read of runs: at least those that `mask` names."""

    answer: Answer
    mask: ReadMask

    def put(self, runs: Mapping[bytes, run_pb2.Run]) -> None:
        """Put what the mask names into runs, by id, that have none of it yet. Those of other runs are left out."""
        answer = self.answer
        if not answer.rows:
            return
        steps, times = unpack_moments(answer.array("ver"))
        rows = zip(
            answer.array("run_id").tolist(), answer.array("kind").tolist(), answer.array("type").tolist(),
            answer.array("num").tolist(), steps.tolist(), times.tolist(), answer.texts("key"), answer.texts("str"),
            strict=True,
        )  # fmt: skip
        named = {KIND_NUMBERS[kind]: keys for kind, keys in self.mask.kinds.items()}
        last, run = b"", None
        for run_id, kind, type_, number, step, time, key, text in rows:
            if run_id != last:
                run, last = runs.get(bytes(run_id)), run_id
            if run is None or kind not in named:
                continue
            if kind == KeyKind.DATASET:
                run.datasets.append(dataset_of(key, text))
                continue
            if kind == KeyKind.MODEL:
                put_model(run, key, text)
                continue
            keys = named[kind]
            if keys is not None and key not in keys:
                continue
            if kind == KeyKind.PARAM:
                run.params.append(param_of(key, text, type_))
            elif kind == KeyKind.TAG:
                run.tags[key] = text
            else:
                run.metrics.add(key=key, last=number, last_step=step, last_time_millis=time)

    @cached_property
    def _places(self) -> Mapping[tuple[int, str], list[int]]:
        """Places of the rows of each key, by its kind and name."""
        places: dict[tuple[int, str], list[int]] = {}
        for place, of in enumerate(zip(self.answer.array("kind").tolist(), self.answer.texts("key"), strict=True)):
            places.setdefault(of, []).append(place)
        return places

    def numbers(self, key: Key) -> dict[bytes, float]:
        """The numbers of a key that was read; not of runs that have none."""
        found = self.values(key)
        known = np.flatnonzero(~np.isnan(found.numbers)).tolist()
        return {found.run_ids[row].tobytes(): float(found.numbers[row]) for row in known}

    def values(self, key: Key) -> KeyValues:
        """Values that the runs have of a key that was read."""
        answer = self.answer
        if not answer.rows:
            return KeyValues(np.empty(0, "V16"), np.empty(0), [], np.empty(0, bool))
        rows = self._places.get((KIND_NUMBERS[key.kind], key.key), [])
        texts = answer.texts("str")
        numbers = answer.array("num")[rows]
        is_real = answer.array("type")[rows] == ParamType.REAL
        numeric = ~np.isnan(numbers) | is_real if key.kind == "params" else np.ones(len(rows), bool)
        return KeyValues(answer.array("run_id")[rows], numbers, [texts[row] for row in rows], numeric)


def read_run_keys(
    warehouse: Warehouse,
    namespace: str,
    run_ids: Sequence[bytes],
    mask: ReadMask,
    as_of: AsOf | None = None,
    branches: Branches = PointTables,
) -> RunKeys:
    """Read what the mask names of the runs. Not for a mask without kinds."""
    statement = run_keys_statement(namespace, run_ids, mask, as_of, branches)
    return RunKeys(warehouse.select(statement), mask)


def run_keys_statement(
    namespace: str, run_ids: Sequence[bytes], mask: ReadMask, as_of: AsOf | None = None,
    branches: Branches = PointTables,
) -> Statement:  # fmt: skip
    """run_id, kind, key, num, str, type and ver, in that order."""
    binds = Binds()
    where = f"namespace = {binds.text(namespace)} AND run_id IN {binds.run_ids(run_ids)}"
    tables = PointTables(namespace) if as_of is None else branches(namespace)
    source = run_key_rows(where, tables, mask, as_of, binds)
    return Statement(f"SELECT run_id, kind, key, num, str, type, ver {source} ORDER BY run_id, kind, key", binds.values)
