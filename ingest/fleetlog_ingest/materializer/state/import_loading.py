"""The state before a batch of imported tables: which of their runs are there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from fleetlog_core.ids import ID_BYTES
from fleetlog_core.warehouse.port import Warehouse

from fleetlog_ingest.imported_before import rows_of_runs
from fleetlog_ingest.materializer.fold.decoding import Decoded
from fleetlog_ingest.materializer.fold.runs import Run
from fleetlog_ingest.materializer.fold.sequences import SequenceSet
from fleetlog_ingest.materializer.fold.state import State
from fleetlog_ingest.materializer.state.loading import BatchIsIn


def load_imports(warehouse: Warehouse, records: Sequence[Decoded], first: int) -> State:
    """Which runs of the tables are there before offset `first`, and by which writers. BatchIsIn.

    Every run has a writer, and `writers` comes last in a batch: it alone tells. What the runs are like is not read.
    """
    ids: defaultdict[str, list[bytes]] = defaultdict(list)
    for decoded in records:
        if decoded.frame is not None:
            data = decoded.frame.events[0].runs_imported.run_ids
            ids[decoded.namespace] += [data[at : at + ID_BYTES] for at in range(0, len(data), ID_BYTES)]
    state = State()
    for namespace, every in ids.items():
        if every:
            _load(warehouse, namespace, every, first, state)
    return state


def _load(warehouse: Warehouse, namespace: str, ids: Sequence[bytes], first: int, state: State) -> None:
    wanted = frozenset(ids)
    for rows in rows_of_runs(warehouse, "writers", ["run_id", "writer_id", "next_offset"], namespace, ids):
        found = zip(*(rows.array(name).tolist() for name in ("run_id", "writer_id", "next_offset")), strict=True)
        for run_id, writer_id, next_offset in found:
            if run_id not in wanted:
                continue
            if next_offset > first:
                raise BatchIsIn
            state.runs[(namespace, run_id)] = Run()
            state.writers[(namespace, run_id, writer_id)] = SequenceSet()
