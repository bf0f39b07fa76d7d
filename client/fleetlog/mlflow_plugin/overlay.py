"""What this process wrote to a run and the server may not have applied yet, put over what the server answers. Pure.

A run's events are applied in the order of the log. So as long as the last of ours is not applied, nothing that others
wrote after it is either: what is put over can hide nothing of theirs.
"""

from __future__ import annotations

from collections import deque

from fleetlog_proto.v1 import event_pb2, run_pb2

from fleetlog._events.items import Row

MAX_ROWS = 10_000
"""Maximum of rows that wait to be folded."""
MAX_KEYS = 10_000
"""Maximum of metrics of a run that are remembered; of a run with more nothing is, and its reads wait."""
Point = tuple[int, int, float]
"""Step, time and value: the order in which the last one is found."""


class OwnWrites:
    """The writes of this process to one run. Rows may be put while another thread reads."""

    def __init__(self, made: run_pb2.Run | None = None) -> None:
        self._forget(made)

    def _forget(self, made: run_pb2.Run | None) -> None:
        self._made = made
        """The run as it was made, when it was made here and the server may not have it."""
        self.rows: deque[Row] = deque()
        self._metrics: dict[str, Point] = {}
        self._params: dict[str, event_pb2.Param] = {}
        self._tags: dict[str, str | None] = {}
        self._changes: list[event_pb2.RunUpdated] = []
        self._datasets: list[event_pb2.Dataset] = []
        self._inputs: list[str] = []
        self._outputs: dict[str, int] = {}
        self._deleted: bool | None = None
        self.version = 0
        """Counts what was put, but for rows."""

    @property
    def is_empty(self) -> bool:
        """True if nothing was put since the last `clear`, and the run was not made since then."""
        return self._made is None and not (self.rows or self._metrics or self.version)

    @property
    def too_many(self) -> bool:
        """True if there are more metrics than are remembered."""
        return len(self._metrics) > MAX_KEYS

    def clear(self) -> None:
        """The server has all of it."""
        self._forget(None)

    def put(self, event: event_pb2.Event) -> None:
        """An event of the run is put."""
        self.version += 1
        kind = event.WhichOneof("payload")
        if kind == "params_logged":
            for param in event.params_logged.params:
                self._params.setdefault(param.key, param)
        elif kind == "tags_set":
            self._tags.update(event.tags_set.tags)
        elif kind == "tags_deleted":
            self._tags.update(dict.fromkeys(event.tags_deleted.keys))
        elif kind == "run_updated":
            self._changes.append(event.run_updated)
        elif kind == "datasets_logged":
            self._datasets += event.datasets_logged.datasets
        elif kind == "metrics_logged":
            self._put_metrics(event.metrics_logged, event.observe_time_millis)
        elif kind == "models_linked":
            self._inputs += [model_id.hex() for model_id in event.models_linked.input_model_ids]
            for output in event.models_linked.outputs:
                self._outputs.setdefault(output.model_id.hex(), output.step)

    def put_deleted(self, deleted: bool) -> None:
        """The run is deleted, or restored."""
        self.version += 1
        self._deleted = deleted

    def fold(self) -> None:
        """Keep of the rows the last point of each metric."""
        last: dict[tuple[str, ...], Row] = {}
        while self.rows:
            row = self.rows.popleft()
            known = last.get(row.keys)
            if known is not None and (row.step, row.time_millis) == (known.step, known.time_millis):
                # Which of them is the last is for each value to say.
                self._put_row(row)
            elif known is None or (row.step, row.time_millis) > (known.step, known.time_millis):
                last[row.keys] = row
        for row in last.values():
            self._put_row(row)

    def over(self, found: run_pb2.Run | None) -> run_pb2.Run | None:
        """Returns the run with all of it. `found`: the server's; None when it has none, which is the answer then for a
        run that was not made here."""
        self.fold()
        run = run_pb2.Run()
        if found is not None:
            run.CopyFrom(found)
        elif self._made is not None:
            run.CopyFrom(self._made)
        else:
            return None
        self._over_keys(run)
        self._over_lists(run)
        if self._deleted is not None:
            run.deleted = self._deleted
        for change in self._changes:
            if change.HasField("name"):
                run.name = change.name
            if change.state:
                run.state = change.state
            if change.HasField("end_time_millis"):
                run.ClearField("end_time_millis")
                if change.end_time_millis:
                    run.end_time_millis = change.end_time_millis
        return run

    def _over_keys(self, run: run_pb2.Run) -> None:
        metrics = {metric.key: metric for metric in run.metrics}
        for key, (step, time, value) in self._metrics.items():
            metric = metrics.get(key)
            if metric is None:
                run.metrics.add(key=key, last=value, last_step=step, last_time_millis=time)
            elif _is_later((step, time, value), (metric.last_step, metric.last_time_millis, metric.last)):
                metric.last, metric.last_step, metric.last_time_millis = value, step, time
        run.metrics.sort(key=lambda metric: metric.key)
        known = {param.key for param in run.params}
        run.params.extend(param for key, param in self._params.items() if key not in known)
        run.params.sort(key=lambda param: param.key)
        for key, text in self._tags.items():
            if text is None:
                run.tags.pop(key, None)
            else:
                run.tags[key] = text

    def _over_lists(self, run: run_pb2.Run) -> None:
        datasets = {(one.name, one.digest, one.context) for one in run.datasets}
        run.datasets.extend(one for one in self._datasets if (one.name, one.digest, one.context) not in datasets)
        inputs = set(run.input_model_ids)
        run.input_model_ids.extend(one for one in dict.fromkeys(self._inputs) if one not in inputs)
        outputs = {one.model_id for one in run.model_outputs}
        for model_id, step in self._outputs.items():
            if model_id not in outputs:
                run.model_outputs.add(model_id=model_id, step=step)

    def _put_metrics(self, metrics: event_pb2.MetricsLogged, time_millis: int) -> None:
        step = time = 0
        times = metrics.time_deltas_millis or [time_millis] + [0] * (len(metrics.step_deltas) - 1)
        for place, (by, later) in enumerate(zip(metrics.step_deltas, times, strict=True)):
            step, time = step + by, time + later
            for column in metrics.columns:
                self._put_point(column.key, (step, time, column.values[place]))

    def _put_row(self, row: Row) -> None:
        for key, value in zip(row.keys, row.values, strict=True):
            self._put_point(key, (row.step, row.time_millis, value))

    def _put_point(self, key: str, point: Point) -> None:
        known = self._metrics.get(key)
        if known is None or _is_later(point, known):
            self._metrics[key] = point


def _is_later(point: Point, other: Point) -> bool:
    """True if the point comes after the other: by step, time and value, of which NaN is the lowest."""
    return _order(point) > _order(other)


def _order(point: Point) -> tuple[int, int, bool, float]:
    step, time, value = point
    is_number = value == value
    return step, time, is_number, value if is_number else 0.0
