"""The state before a batch of imported tables: which of their runs are there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from fleetlog_core.ids import ID_BYTES
from fleetlog_core.warehouse.port import Statement, Warehouse

from fleetlog_ingest.materializer.decoding import Decoded
from fleetlog_ingest.materializer.loading import RUNS_PER_SELECT, BatchIsIn
from fleetlog_ingest.materializer.runs import Run
from fleetlog_ingest.materializer.sequences import SequenceSet
from fleetlog_ingest.materializer.state import State

_WRITERS = (
    "SELECT run_id, writer_id, next_offset FROM writers WHERE namespace = {namespace:String}"
    " AND run_id IN (SELECT toFixedString(unhex(arrayJoin({ids:Array(String)})), 16))"
)


def load_imports(warehouse: Warehouse, records: Sequence[Decoded], first: int) -> State:
    """Which runs of the tables are there before offset `first`, and by which writers. BatchIsIn.

    Every run has a writer, and `writers` comes last in a batch: it alone tells. What the runs are like is not read.
    """
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for decoded in records:
        if decoded.frame is not None:
            data = decoded.frame.events[0].runs_imported.run_ids
            ids[decoded.namespace] += [data[at : at + ID_BYTES].hex() for at in range(0, len(data), ID_BYTES)]
    state = State()
    for namespace, every in ids.items():
        for place in range(0, len(every), RUNS_PER_SELECT):
            binds = {"namespace": namespace, "ids": every[place : place + RUNS_PER_SELECT]}
            rows = warehouse.select(Statement(_WRITERS, binds))
            if rows.rows and int(rows.array("next_offset").max()) > first:
                raise BatchIsIn
            for run_id, writer_id in zip(rows.array("run_id"), rows.array("writer_id"), strict=True):
                state.runs[(namespace, run_id.tobytes())] = Run()
                state.writers[(namespace, run_id.tobytes(), writer_id.tobytes())] = SequenceSet()
    return state
