"""A table of runs folds into what the events that it stands for fold into."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from fleetlog_core.warehouse.port import Coded, Column
from fleetlog_ingest.materializer.fold.decoding import Decoded
from fleetlog_ingest.materializer.fold.import_fold import ImportFold
from fleetlog_ingest.materializer.fold.result import Folded
from fleetlog_ingest.materializer.fold.state import State
from fleetlog_ingest.materializer.fold.tables import EVENT_TABLES, Columns
from fleetlog_proto.v1 import event_pb2, frame_pb2
from hypothesis import given
from hypothesis import strategies as st

from tests.ingest.materializer.builders import NOW, folded, frame, record
from tests.ingest.tables import expanded, run_id, tables

IMPORT, OTHER = bytes(range(100, 116)), bytes(range(200, 216))
DIFFERENT = {"ver", "until", "off", "changes", "ranges", "next_offset", "rank"}
"""By the offsets and sequences of the records, and that there are more of them."""


def table_record(runs: event_pb2.RunsImported, offset: int, writer: bytes = IMPORT) -> Decoded:
    event = event_pb2.Event(sequence=1, runs_imported=runs)
    return record(
        frame_pb2.Frame(run_id=runs.run_ids[:16], writer_id=writer, events=[event], ingest_time_millis=NOW), offset
    )


def imported(state: State, *records: Decoded, refused: dict[int, str] | None = None) -> Folded:
    return ImportFold(state, 0, records[-1].record.offset + 1, refused).fold(records)


def _listed(column: Column) -> list[Any]:
    if isinstance(column, Coded):
        return [column.texts[code] for code in column.codes.tolist()]
    if isinstance(column, np.ndarray) and column.dtype.kind == "f":
        column = column.view(np.uint64)
    found: list[Any] = column.tolist() if isinstance(column, np.ndarray) else list(column)
    return found


def _rows(columns: Columns, table: str) -> Counter[tuple[tuple[str, Any], ...]]:
    names = sorted(columns.keys() - DIFFERENT)
    if table == "attrs":
        # The latest of a metric is known by its step, time and value.
        kinds, versions = _listed(columns["kind"]), _listed(columns["ver"])
        versions = [version if kind == 3 else None for kind, version in zip(kinds, versions, strict=True)]
        return Counter(
            zip(*[[(name, cell) for cell in _listed(columns[name])] for name in names], versions, strict=True)
        )
    return Counter(zip(*[[(name, cell) for cell in _listed(columns[name])] for name in names], strict=True))


def _states(columns: Columns) -> dict[tuple[Any, ...], Any]:
    """The last state of each run: a table has no other."""
    return {(row[0][1], row[1][1]): row for row in _last(columns)}


def _last(columns: Columns) -> list[tuple[tuple[str, Any], ...]]:
    names = ["namespace", "run_id", *sorted(columns.keys() - DIFFERENT - {"namespace", "run_id"})]
    return list(zip(*[[(name, cell) for cell in _listed(columns[name])] for name in names], strict=True))


@given(tables(), tables())
def test_a_table_is_what_its_events_are(first: event_pb2.RunsImported, second: event_pb2.RunsImported) -> None:
    found = imported(State(), table_record(first, 0), table_record(second, 1, OTHER))
    frames = [frame(*told, run=run, writer=IMPORT) for run, told in expanded(first).items()]
    # A run that is there stays as it is.
    new = {run: told for run, told in expanded(second).items() if run not in expanded(first)}
    frames += [frame(*told, run=run, writer=OTHER) for run, told in new.items()]
    wanted = folded(State(), *[record(one, offset) for offset, one in enumerate(frames)])
    assert found.tables.keys() - {"problems"} == wanted.tables.keys()
    assert list(found.tables) == [table for table in EVENT_TABLES if table in found.tables]
    for table in wanted.tables:
        assert found.tables[table].keys() == wanted.tables[table].keys()
        if table in ("runs", "run_history"):
            assert _states(found.tables[table]) == _states(wanted.tables[table])
        else:
            assert _rows(found.tables[table], table) == _rows(wanted.tables[table], table), table
    assert found.points == wanted.points
    assert not found.dead
    both = expanded(first).keys() & expanded(second).keys()
    if both:
        problems = found.tables["problems"]
        assert set(_listed(problems["run_id"])) == both
        assert set(_listed(problems["reason"])) == {"RUN_EXISTS"}


@given(tables(), st.integers(1, 3))
def test_the_same_import_again_changes_nothing(runs: event_pb2.RunsImported, times: int) -> None:
    once = imported(State(), table_record(runs, 0))
    again = imported(once.changes, *[table_record(runs, 1 + place) for place in range(times)])
    assert again.tables == {}
    assert again.duplicates == times * len(runs.states)
    twice = imported(State(), *[table_record(runs, place) for place in range(1 + times)])
    assert twice.duplicates == times * len(runs.states)
    assert {table: len(_listed(columns["namespace"])) for table, columns in twice.tables.items()} == {
        table: len(_listed(columns["namespace"])) for table, columns in once.tables.items()
    }


def _small(number: int) -> event_pb2.RunsImported:
    runs = event_pb2.RunsImported(run_ids=run_id(number), start_times_millis=[NOW])
    runs.states.append(event_pb2.RUN_STATE_FINISHED)
    runs.metrics.add(key="loss", values=[1.0])
    return runs


def test_a_run_of_training_code_stays_as_it_is() -> None:
    trained = folded(
        State(), record(frame(event_pb2.Event(sequence=1, run_started=event_pb2.RunStarted(name="mine"))), 0)
    )
    runs = _small(0)
    runs.run_ids = bytes(range(16)) + run_id(7)
    runs.start_times_millis.append(NOW)
    runs.states.append(event_pb2.RUN_STATE_FINISHED)
    runs.metrics[0].values.append(2.0)
    found = imported(trained.changes, table_record(runs, 1))
    assert _listed(found.tables["runs"]["run_id"]) == [run_id(7)]
    assert _listed(found.tables["points"]["value"]) == np.array([2.0]).view(np.uint64).tolist()
    assert _listed(found.tables["problems"]["points"]) == [1]


@pytest.mark.parametrize("offset", [0, 1])
def test_a_table_that_is_wrong_or_refused_costs_itself_alone(offset: int) -> None:
    wrong = _small(3)
    wrong.metrics[0].values.append(2.0)
    records = [table_record(_small(1), 0), table_record(_small(2), 1)]
    found = imported(State(), *records, refused={offset: "the warehouse can't"})
    assert _listed(found.tables["runs"]["run_id"]) == [run_id(2 - offset)]
    assert [letter.reason for letter in found.dead] == ["WAREHOUSE_REFUSED"]
    records[offset] = table_record(wrong, offset)
    found = imported(State(), *records)
    assert _listed(found.tables["runs"]["run_id"]) == [run_id(2 - offset)]
    assert [(letter.reason, letter.record.offset) for letter in found.dead] == [("MALFORMED", offset)]
    assert "2 values for 1 runs" in _listed(found.tables["problems"]["message"])[0]
