"""Who wrote each record and what stands in it: rows of `log_times` with the span 0. Pure.

Rows are of the records alone, but for the experiments: folded again, in whatever batches, they are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from fleetlog_core.ids import ID_BYTES
from fleetlog_core.warehouse.port import Coded
from fleetlog_core.warehouse.schema import EVERY_NAMESPACE, NO_EXPERIMENT, RECORD_SPAN
from fleetlog_proto.v1 import frame_pb2

from fleetlog_ingest.materializer.control.log_times import time_rows
from fleetlog_ingest.materializer.control.record_details import detail_of_intent, details_of, text_of
from fleetlog_ingest.materializer.control.token_fold import TOKEN_INTENTS
from fleetlog_ingest.materializer.fold.decoding import Decoded, ids_in
from fleetlog_ingest.materializer.fold.state import RunKey
from fleetlog_ingest.materializer.fold.table_schemas import fixed16
from fleetlog_ingest.materializer.fold.tables import Columns, Row, columns_of, rows_in, stack

NO_ID = bytes(ID_BYTES)
_OF_NO_RECORD: Row = (0, "", NO_ID, 0, NO_EXPERIMENT, 0, "", "", "", "", "", NO_ID)
"""What the rows of times have in the columns of records."""
ExperimentOf = Callable[[RunKey], int]
"""From a run or logged model to the number of its experiment; NO_EXPERIMENT when it is in none."""


def log_rows(records: Sequence[Decoded], partitions: int, experiment_of: ExperimentOf) -> Columns:
    """Rows of `log_times` of consecutive records (at least one) of a partition, whose topic has `partitions`."""
    raw = [decoded.record for decoded in records]
    partition = raw[0].partition
    rows = [(*row, *_OF_NO_RECORD) for row in time_rows(partition, raw, partitions)]
    imports: list[Columns] = []
    for decoded in records:
        offset = decoded.record.offset
        where = (partition.topic, partition.number, RECORD_SPAN, offset, offset, offset + 1, partitions)
        rows += [(*where, *told) for told in _told(decoded, experiment_of)]
        if decoded.imports and decoded.frame is not None:
            imports.append(_of_imported(rows[-1], decoded.frame))
    columns = columns_of("log_times", rows)
    for more in imports:
        if rows_in(more):
            columns = stack(columns, more)
    return columns


def _told(decoded: Decoded, experiment_of: ExperimentOf) -> list[Row]:
    """The columns from `place` on, a row for each run or model that the record is about; at least one."""
    if decoded.control is not None:
        return [_of_intent(decoded, decoded.control)]
    frame = decoded.frame
    if frame is None:
        # Nobody can say whose it is: no namespace has it.
        return [(0, "", NO_ID, 0, NO_EXPERIMENT, decoded.record.time_millis, "", "", "", decoded.problem, "", NO_ID)]
    if decoded.heard:
        return [(0, "", NO_ID, 0, NO_EXPERIMENT, _time(decoded), *_caller(frame.caller), "writers_heard", "", NO_ID)]
    details = details_of(frame.events)
    said = (_time(decoded), *_caller(frame.caller), ",".join(details), text_of(details), NO_ID)
    subjects = [frame.run_id, decoded.rewound] if len(decoded.rewound) == ID_BYTES else [frame.run_id]
    rows: list[Row] = []
    for place, subject in enumerate(subjects):
        if decoded.imports:
            experiment = frame.events[0].runs_imported.experiment_id
        else:
            experiment = experiment_of((decoded.namespace, subject))
        rows.append((place, decoded.namespace, subject, int(decoded.of_model), experiment, *said))
    return rows


def _of_intent(decoded: Decoded, control: frame_pb2.ControlRecord) -> Row:
    kind = control.WhichOneof("intent") or "unknown"
    namespace = EVERY_NAMESPACE if kind in TOKEN_INTENTS else decoded.namespace
    detail = "" if kind == "unknown" else text_of({kind: detail_of_intent(control, kind)})
    intent = getattr(control, kind, None)
    experiment = getattr(intent, "experiment_id", NO_EXPERIMENT)
    said = (_time(decoded), *_caller(control.caller), kind, detail, control.request_id)
    return (0, namespace, NO_ID, 0, experiment, *said)


def _of_imported(first: Row, frame: frame_pb2.Frame) -> Columns:
    """The row of a table of runs once more for each of its runs but the first, which has it."""
    ids = ids_in(frame.events[0].runs_imported.run_ids)[1:]
    count = len(ids)
    one = columns_of("log_times", [first])
    columns: Columns = {}
    for name, column in one.items():
        if isinstance(column, Coded):
            columns[name] = Coded(np.repeat(column.codes, count), column.texts)
        elif isinstance(column, np.ndarray):
            columns[name] = np.repeat(column, count)
        else:
            columns[name] = [str(column[0])] * count
    columns["place"] = np.arange(1, count + 1, dtype=np.uint32)
    columns["subject"] = fixed16(ids)
    return columns


def _time(decoded: Decoded) -> int:
    """Unix milliseconds by the gateway's clock, or by the log's."""
    message = decoded.frame if decoded.frame is not None else decoded.control
    return (message.ingest_time_millis if message is not None else 0) or decoded.record.time_millis


def _caller(caller: frame_pb2.Caller) -> tuple[str, str, str]:
    return caller.principal, caller.token_name, caller.gateway
