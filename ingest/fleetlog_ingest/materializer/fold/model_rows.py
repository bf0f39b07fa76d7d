"""The rows of logged models: what they are, their params and tags, and points of metrics that name them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.port import Coded
from fleetlog_core.warehouse.schema import PLACE_BITS, KeyKind
from fleetlog_proto.v1 import event_pb2

from fleetlog_ingest.materializer.fold.logged_models import Model
from fleetlog_ingest.materializer.fold.state import RunKey
from fleetlog_ingest.materializer.fold.table_schemas import coded, fixed16
from fleetlog_ingest.materializer.fold.tables import Columns, Row

_HIGHEST = (1 << 64) - 1


def model_row(key: RunKey, model: Model) -> Row:
    """A row of `logged_models`."""
    times = (model.create_time, model.update_time)
    said = (model.name, model.source_run_id, model.model_type, model.status, model.status_message)
    flags = (int(model.deleted), int(model.purged), int(model.made))
    return (*key, model.experiment, *said, *times, *flags, model.ver)


def param_rows(key: RunKey, texts: Sequence[tuple[str, str]], ver: int) -> list[Row]:
    """Rows of `model_attrs` of params, of which the first write stays. `ver` is the first one's, each next has one
    more."""
    return [(*key, KeyKind.PARAM, name, text, 0, _HIGHEST - ver - place) for place, (name, text) in enumerate(texts)]


def tag_rows(key: RunKey, texts: Sequence[tuple[str, str]], ver: int, *, removed: bool = False) -> list[Row]:
    """Rows of `model_attrs` of tags, of which the last write stays. `ver`: as in param_rows."""
    return [(*key, KeyKind.TAG, name, text, int(removed), ver + place) for place, (name, text) in enumerate(texts)]


class ModelMetricSink:
    """Takes the points of one event after another. No work is done per point in Python."""

    def __init__(self) -> None:
        # An entry for each event: namespace, model id, run id, name and digest of the data; and its points.
        self._events: list[tuple[str, bytes, bytes, str, str]] = []
        self._counts: list[int] = []
        self._keys: list[str] = []
        self._lengths: list[int] = []
        self._steps: list[npt.NDArray[np.int64]] = []
        self._times: list[npt.NDArray[np.int64]] = []
        self._values: list[npt.NDArray[np.float64]] = []
        self._versions: list[npt.NDArray[np.uint64]] = []

    def add(self, key: RunKey, event: event_pb2.MetricsLogged, offset: int, place: int, default_time: int) -> int:
        """Take the points of an event of a run, whose columns are of one length. `place`: points of the record before
        them. Returns how many."""
        rows, columns = len(event.step_deltas), len(event.columns)
        points = rows * columns
        if not points:
            return 0
        namespace, run_id = key
        steps = np.cumsum(np.array(event.step_deltas, dtype=np.int64))
        deltas = np.array(event.time_deltas_millis, dtype=np.int64)
        times = np.cumsum(deltas) if len(deltas) else np.full(rows, default_time, dtype=np.int64)
        self._events.append((namespace, event.model_id, run_id, event.dataset_name, event.dataset_digest))
        self._counts.append(points)
        for column in event.columns:
            self._keys.append(column.key)
            self._lengths.append(rows)
            self._values.append(np.array(column.values, dtype=np.float64))
        self._steps.append(np.tile(steps, columns))
        self._times.append(np.tile(times, columns))
        first = np.uint64((offset << PLACE_BITS) + place)
        self._versions.append(first + np.arange(points, dtype=np.uint64))
        return points

    def finish(self) -> Columns | None:
        """Rows of `model_metrics`; None when there are none."""
        if not self._events:
            return None
        namespaces, models, runs, names, digests = zip(*self._events, strict=True)
        counts = np.array(self._counts)
        return {
            "namespace": _repeated(namespaces, counts),
            "model_id": np.repeat(np.asarray(fixed16(models)), counts),
            "key": _repeated(self._keys, np.array(self._lengths)),
            "run_id": np.repeat(np.asarray(fixed16(runs)), counts),
            "ts": np.concatenate(self._times),
            "step": np.concatenate(self._steps),
            "dataset_name": _repeated(names, counts),
            "dataset_digest": _repeated(digests, counts),
            "value": np.concatenate(self._values),
            "ver": np.concatenate(self._versions),
        }


def _repeated(texts: Sequence[str], counts: npt.NDArray[np.int64]) -> Coded:
    found = coded(texts)
    return Coded(np.repeat(found.codes, counts), found.texts)
