"""log and log_series: what users pass as steps and series, as rows and slices in the outbox.

The common step, floats under keys that were seen before, takes the shortest way. All else goes item by item.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fleetlog_core.rules.names import check_key, check_keys

from fleetlog._events.items import Row, Slice
from fleetlog._runs.open_run import OpenRun
from fleetlog._values.columns import columns, millis
from fleetlog._values.steps import to_points
from fleetlog._values.values import Unusable, number, step_number
from fleetlog.errors import FleetlogError

SLICE_POINTS = 100_000
SERIES_WAIT_SECONDS = 60.0
MAX_STEPS_KNOWN = 10_000
"""Maximum of sets of keys that are remembered."""
_INT64 = 1 << 63


class PointLogger:
    """The points of one writer."""

    def __init__(self, run: OpenRun, next_step: int = 0) -> None:
        self._open = run
        self._writer = run.writer
        self._delivery = run.delivery
        self._now = run.clock.now_millis
        self._keys: dict[tuple[str, ...], tuple[str, ...]] = {}
        """Keys of steps that were logged; nothing for those of which one is not valid."""
        self.next_step = next_step
        """Step of what is logged without one."""

    def log(self, metrics: Mapping[str, Any], step: Any, time_: datetime | float | str | None) -> None:
        """One step; see Run.log. Unusable when it can't be one at all."""
        if step is None:
            step = self.next_step
        if type(step) is not int or not -_INT64 <= step < _INT64:
            step = step_number(step)
        self.next_step = step + 1
        keys: tuple[str, ...] = ()
        values: list[float] = []
        if type(metrics) is dict:
            keys = tuple(metrics)
            known = self._keys.get(keys)
            keys = self._check_keys(keys) if known is None else known
        if keys:
            values = list(metrics.values())
            for value in values:
                if type(value) is not float:
                    keys, values = self._numbers(keys, metrics)
                    break
        else:
            keys, values = self._by_item(metrics)
        if not keys:
            return
        row = Row(self._writer, keys, values, step, self._now() if time_ is None else millis(time_))
        if not self._delivery.outbox.put(row):
            self._delivery.account.full(len(keys))

    def _check_keys(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """The keys when all are valid, else nothing. Remembered, so that a step asks once."""
        try:
            check_keys(keys, lambda place: "metrics")
            valid = keys
        except (FleetlogError, TypeError, AttributeError):
            valid = ()
        if len(self._keys) < MAX_STEPS_KNOWN:
            self._keys[keys] = valid
        return valid

    def _numbers(self, keys: tuple[str, ...], metrics: Mapping[str, Any]) -> tuple[tuple[str, ...], list[float]]:
        try:
            return keys, [number(value) for value in metrics.values()]
        except Unusable:
            return self._by_item(metrics)

    def _by_item(self, metrics: Mapping[str, Any]) -> tuple[tuple[str, ...], list[float]]:
        """Metric by metric, for steps that are not numbers by valid keys alone."""
        found, out = to_points(metrics)
        for one in out:
            self._open.drop(one.reason, 1)
            self._delivery.warn(f"metric:{one.key}", f"a metric was not logged: {one}")
        return tuple(found), list(found.values())

    def log_series(self, key: str, steps: Any, values: Any, times: Any) -> None:
        """Many points of one metric; see Run.log_series. Unusable, InvalidArgument."""
        check_key(key, "key")
        found = columns(steps, values, times)
        for reason, points in found.left_out.items():
            self._open.drop(reason, points)
            self._delivery.warn(
                f"series:{key}", f"{points:,} points of {key!r} were not logged: {found.examples.get(reason, reason)}"
            )
        count = len(found.values)
        now = self._now()
        deadline = time.monotonic() + SERIES_WAIT_SECONDS
        for first in range(0, count, SLICE_POINTS):
            last = first + SLICE_POINTS
            piece = None if found.times is None else found.times[first:last]
            item = Slice(self._writer, key, found.steps[first:last], found.values[first:last], piece, now)
            if not self._delivery.outbox.put(item, deadline - time.monotonic()):
                self._delivery.account.full(item.points)
        if count:
            self.next_step = int(found.steps[-1]) + 1
