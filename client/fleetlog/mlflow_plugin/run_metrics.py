"""Metrics that runs log, as MLflow's tracking store has them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fleetlog_core import limits
from fleetlog_core.rules.names import check_key
from fleetlog_proto.v1 import event_pb2
from mlflow.entities import Metric
from mlflow.utils.validation import _validate_metric

from fleetlog._events.framing import rows_event
from fleetlog._events.grouping import by_keys
from fleetlog._events.items import Row
from fleetlog.mlflow_plugin.errors import invalid, translated
from fleetlog.mlflow_plugin.ledger import WrittenRun
from fleetlog.mlflow_plugin.model_ids import known_model_id
from fleetlog.mlflow_plugin.runs import RunStore

MAX_KEYS = 100_000
"""Maximum of metric keys that are remembered as right."""
_INT64 = 1 << 63


class RunMetricStore(RunStore):
    """Metrics of the namespace's runs."""

    _right_keys: set[str]
    """Metric keys that MLflow and the server were found to take."""

    def log_metric(self, run_id: str, metric: Metric) -> None:
        """Log one point: handed over."""
        run = self._active(run_id)
        row = self._plain_row(run, (metric,))
        if row is not None:
            self.writers.put_row(run, row)
        elif metric.model_id:
            for event in self._measured(run, (metric,), alone=True):
                self.writers.say(run, metrics_logged=event)
        else:
            for row in self._rows(run, (metric,), alone=True):
                self.writers.put_row(run, row)
        if self.wait != "handed":
            self.wrote()

    def _plain_row(self, run: WrittenRun, metrics: Sequence[Metric]) -> Row | None:
        """Returns the metrics as one row where all are as a call of mlflow.log_metrics makes them: of one step and time
        and no model, each key once and found right before; None where one is not."""
        first = metrics[0]
        step, time = first.step, first.timestamp
        if type(step) is not int or type(time) is not int:
            return None
        if not (0 <= time <= limits.MAX_TIME_MILLIS and -_INT64 <= step < _INT64):
            return None
        found: dict[str, float] = {}
        for metric in metrics:
            value = metric.value
            if type(value) is not float or metric.step is not step or metric.timestamp is not time or metric.model_id:
                return None
            found[metric.key] = value
        if len(found) != len(metrics) or not self._right_keys.issuperset(found):
            return None
        return Row(run.writer, tuple(found), list(found.values()), step, time)

    def _measured(
        self, run: WrittenRun, metrics: Sequence[Metric], *, alone: bool = False
    ) -> list[event_pb2.MetricsLogged]:
        """Returns metrics that name a logged model as events, one for each model, data and set of keys.
        MlflowException."""
        found: dict[tuple[bytes, str, str], list[Metric]] = {}
        for metric in metrics:
            of = (known_model_id(metric.model_id), metric.dataset_name or "", metric.dataset_digest or "")
            found.setdefault(of, []).append(metric)
        events: list[event_pb2.MetricsLogged] = []
        for (model_id, name, digest), some in found.items():
            self.writers.measured_model(model_id.hex())
            for rows in by_keys(self._rows(run, some, alone=alone), limits.POINTS_PER_EVENT):
                event = rows_event(rows).metrics_logged
                event.model_id, event.dataset_name, event.dataset_digest = model_id, name, digest
                events.append(event)
        return events

    def _rows(self, run: WrittenRun, metrics: Sequence[Metric], *, alone: bool = False) -> list[Row]:
        """Returns the metrics as rows, one for each step and time that follow one another. MlflowException, which names
        the place among them, but for one that is `alone`."""
        rows: list[Row] = []
        found: dict[str, float] = {}
        at: tuple[int, int] | None = None
        right, writer = self._right_keys, run.writer
        for place, metric in enumerate(metrics):
            key, value, step, time = metric.key, metric.value, metric.step, metric.timestamp
            plain = type(value) is float and type(step) is int and type(time) is int and key in right
            if not (plain and 0 <= time <= limits.MAX_TIME_MILLIS and -_INT64 <= step < _INT64):
                value, step, time = self._checked(metric, "" if alone else f"metrics[{place}]")
            if at is not None and (at != (step, time) or key in found):
                if at == (step, time) and _same(found[key], value):
                    continue
                rows.append(Row(writer, tuple(found), list(found.values()), *at))
                found = {}
            at = step, time
            found[key] = value
        if at is not None:
            rows.append(Row(writer, tuple(found), list(found.values()), *at))
        return rows

    def _checked(self, metric: Metric, path: str) -> tuple[float, int, int]:
        """Returns value, step and time of a metric that MLflow's own check takes, and the server."""
        _validate_metric(metric.key, metric.value, metric.timestamp, metric.step, path=path)
        value, step, time = float(metric.value), int(metric.step or 0), int(metric.timestamp)
        if time > limits.MAX_TIME_MILLIS or not -_INT64 <= step < _INT64:
            raise invalid(f"Metric '{metric.key}' is at step {step} and time {time}: these are out of range")
        with translated():
            check_key(metric.key, "metrics")
        if len(self._right_keys) < MAX_KEYS:
            self._right_keys.add(metric.key)
        return value, step, time


def _same(one: float, other: float) -> bool:
    """True if they are the same number, NaN among them."""
    return one == other or (math.isnan(one) and math.isnan(other))
