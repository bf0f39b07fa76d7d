"""The params, tags, metrics and datasets that some runs had at a position, while they go on changing.

What they have now is read first, and then which series went on since: a batch says that of a series before its latest
value can be read, and rows of params and tags have their own place in the log. So nothing newer is taken for old, and
what did change is looked up, in one small statement for each kind, where it never changes again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future

import numpy as np
from fleetlog_core.datasets import DATASET_KIND, dataset_of
from fleetlog_core.log.partitions import partition_of
from fleetlog_core.ordered import unpack_moments
from fleetlog_core.run_models import MODEL_KIND, put_model
from fleetlog_core.warehouse.port import Answer, Statement, TooMuchToRead
from fleetlog_proto.v1 import run_pb2

from fleetlog_query.runs.read_mask import ReadMask
from fleetlog_query.runs.run_keys import param_of
from fleetlog_query.sql.as_of import BY_RUN, PLACE_BITS, POINTS_BOUND, AsOf, changed_series
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.packed import POINT_ORDER_SQL, value_of
from fleetlog_query.warehouse.cancellable import CancellableWarehouse

EARLY = 256
"""Maximum runs whose last points are read before it is known which of them went on."""
Pairs = set[tuple[bytes, str]]
"""Keys of runs."""


class PastKeys:
    """Keys of some runs of a namespace, at a position."""

    def __init__(
        self, warehouse: CancellableWarehouse, namespace: str, runs: Mapping[bytes, run_pb2.Run], as_of: AsOf,
        timeout_seconds: float,
    ) -> None:  # fmt: skip
        self._warehouse = warehouse
        self._namespace = namespace
        self._runs = runs
        self._as_of = as_of
        self._timeout_seconds = timeout_seconds
        self.params: dict[bytes, dict[str, tuple[float, str, int]]] = {}
        """Values of the params that were put: number, or NaN, text and type, as `attrs` has them."""

    def put(self, mask: ReadMask, spoken: frozenset[str]) -> None:
        """What the mask names into the runs, instead of what is in them; of metrics, those that are `spoken` of as they
        were, and the others as they are. TimedOut, TooMuchToRead."""
        for run in self._runs.values():
            for field in ("params", "tags", "metrics", "datasets", "input_model_ids", "model_outputs"):
                run.ClearField(field)
        if not self._runs or not mask.kinds:
            return
        wanted = mask.kinds.get("metrics", frozenset())
        spoken = spoken if wanted is None else spoken & wanted
        # Most runs that changed logged metrics. These points are the past: it is the same when they are read.
        early = (
            self._warehouse.beside(lambda: self._last_points(self._runs, spoken))
            if spoken and len(self._runs) <= EARLY
            else None
        )
        now = self._now(mask)
        went_on = self._went_on(spoken) if spoken else set()
        changed_tags = self._put_now(now, went_on)
        if went_on:
            self._put_metrics(went_on, early)
        if changed_tags:
            self._put_tags(changed_tags)

    def _ids(self, binds: Binds) -> str:
        return f"namespace = {binds.text(self._namespace)} AND run_id IN {binds.run_ids(list(self._runs))}"

    def _select(self, sql: str, binds: Binds) -> Answer:
        return self._warehouse.select(Statement(sql, binds.values), timeout_seconds=self._timeout_seconds)

    def _now(self, mask: ReadMask) -> Answer:
        """Tags that are gone too: they may have gone since."""
        binds = Binds()
        return self._select(
            f"SELECT run_id, kind, key, num, str, type, ver, removed FROM run_attrs FINAL WHERE {self._ids(binds)}"
            f" AND ({mask.sql(binds)}) AND (removed = 0 OR kind = 2) ORDER BY run_id, kind, key",
            binds,
        )

    def _went_on(self, spoken: frozenset[str]) -> Pairs:
        binds = Binds()
        where = f"{self._ids(binds)} AND key IN {binds.texts(sorted(spoken))}"
        answer = self._select(changed_series(BY_RUN, where, self._as_of, binds), binds)
        return set(zip((one.tobytes() for one in answer.array("run_id")), answer.texts("key"), strict=True))

    def _put_now(self, now: Answer, went_on: Pairs) -> Pairs:
        """What has not changed; the tags that have are returned."""
        if not now.rows:
            return set()
        changed: Pairs = set()
        steps, times = unpack_moments(now.array("ver"))
        places = np.ascontiguousarray(now.array("ver")).view("<u8").reshape(-1, 4)[:, 0]
        events = self._as_of.events
        rows = zip(
            now.array("run_id").tolist(), now.array("kind").tolist(), now.array("type").tolist(),
            now.array("num").tolist(), steps.tolist(), times.tolist(), places.tolist(), now.array("removed").tolist(),
            now.texts("key"), now.texts("str"), strict=True,
        )  # fmt: skip
        for run_id, kind, type_, number, step, time, place, removed, key, text in rows:
            run_id = bytes(run_id)
            run = self._runs[run_id]
            if kind == 3:
                if (run_id, key) not in went_on:
                    run.metrics.add(key=key, last=number, last_step=step, last_time_millis=time)
                continue
            is_since = place >> PLACE_BITS >= events[partition_of(run_id, len(events))]
            if kind == 2 and is_since:
                changed.add((run_id, key))
            elif kind == 2 and not removed:
                run.tags[key] = text
            elif kind == 1 and not is_since:
                run.params.append(param_of(key, text, type_))
                self.params.setdefault(run_id, {})[key] = number, text, type_
            elif kind == DATASET_KIND and not is_since:
                run.datasets.append(dataset_of(key, text))
            elif kind == MODEL_KIND and not is_since:
                put_model(run, key, text)
        return changed

    def _last_points(self, run_ids: Iterable[bytes], keys: Iterable[str]) -> Answer:
        """Last points before the position."""
        binds = Binds()
        where = (
            f"namespace = {binds.text(self._namespace)} AND run_id IN {binds.run_ids(sorted(run_ids))}"
            f" AND key IN {binds.texts(sorted(keys))}"
        )
        last = (
            f"SELECT run_id, key, max({POINT_ORDER_SQL}) AS p FROM points WHERE {where}"
            f" AND off < {self._as_of.bound(binds)} GROUP BY run_id, key"
        )
        return self._select(
            f"SELECT run_id, key, p AS ver, {value_of('p')} AS num FROM ({last}) SETTINGS {POINTS_BOUND}", binds
        )

    def _put_metrics(self, went_on: Pairs, early: Future[Answer] | None) -> None:
        """Metrics that the runs had, instead of none. `early`: as _last_points, maybe of more."""
        try:
            answer = early.result() if early is not None else None
        except TooMuchToRead:
            # Of those alone that went on it may be less.
            answer = None
        if answer is None:
            answer = self._last_points({run_id for run_id, _ in went_on}, {key for _, key in went_on})
        if not answer.rows:
            return
        steps, times = unpack_moments(answer.array("ver"))
        rows = zip(
            answer.array("run_id").tolist(), answer.texts("key"), answer.array("num").tolist(), steps.tolist(),
            times.tolist(), strict=True,
        )  # fmt: skip
        for run_id, key, number, step, time in rows:
            if (bytes(run_id), key) in went_on:
                self._runs[bytes(run_id)].metrics.add(key=key, last=number, last_step=step, last_time_millis=time)
        for run_id in {run_id for run_id, _ in went_on}:
            run = self._runs[run_id]
            metrics = sorted(run.metrics, key=lambda metric: metric.key)
            run.ClearField("metrics")
            run.metrics.extend(metrics)

    def _put_tags(self, changed: Pairs) -> None:
        """As they were set last before the position, if they were not taken away again."""
        binds = Binds()
        keys = binds.texts(sorted({key for _, key in changed}))
        answer = self._select(
            f"SELECT run_id, key, argMax(str, ver) AS s FROM tag_history WHERE {self._ids(binds)} AND key IN {keys}"
            f" AND ver < {self._as_of.bound(binds, PLACE_BITS)} GROUP BY run_id, key HAVING argMax(removed, ver) = 0",
            binds,
        )
        ids = (one.tobytes() for one in answer.array("run_id"))
        for run_id, key, text in zip(ids, answer.texts("key"), answer.texts("s"), strict=True):
            if (run_id, key) in changed:
                self._runs[run_id].tags[key] = text
