"""The distinct keys that a stream has brought for each run: enough to refuse early, while somebody still listens.

Other streams may write to the same run, and a stream may begin in the middle of it: what no gateway sees, the fold puts
aside. So this forgets without harm, and does when it grows large.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from fleetlog_core.datasets import dataset_key
from fleetlog_core.limits import RunLimits
from fleetlog_core.rules.run_keys import (
    TOO_MANY_DATASETS,
    TOO_MANY_METRICS,
    TOO_MANY_PARAMS,
    TOO_MANY_TAGS,
    beyond,
    too_many,
)
from fleetlog_proto.v1 import event_pb2

from fleetlog_ingest.gateway.quotas import StoredUse

KEYS_PER_STREAM = 400_000
"""Keys that one stream remembers, of all its runs: bounds the memory that a client can take."""


@dataclass(slots=True)
class _Seen:
    """What one run has been asked to hold."""

    metrics: set[str] = field(default_factory=set)
    params: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)
    datasets: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.metrics) + len(self.params) + len(self.tags) + len(self.datasets)


class StreamKeys:
    """Used by one stream, for events in order."""

    def __init__(
        self, limits: RunLimits | None = None, most_keys: int = KEYS_PER_STREAM, stored: StoredUse | None = None
    ) -> None:
        """`stored`: what quotas are held against; None = there are none."""
        self._stored = stored
        self._limits = limits or RunLimits()
        self._most_keys = most_keys
        self._runs: OrderedDict[tuple[str, bytes], _Seen] = OrderedDict()
        self._keys = 0

    def admit(self, namespace: str, run_id: bytes, event: event_pb2.Event, path: str) -> None:
        """Count the keys of an event that is right in itself. `path` is where it stands in the request.

        ResourceExhausted TOO_MANY_METRICS, TOO_MANY_PARAMS, TOO_MANY_TAGS or TOO_MANY_DATASETS when the run would have
        too many by it; then none of its keys counts. STORED_BYTES for a file that its namespace has no room for.
        """
        kind = event.WhichOneof("payload")
        if kind == "metrics_logged":
            metrics = [column.key for column in event.metrics_logged.columns]
            seen = self._seen(namespace, run_id)
            if not seen.metrics.issuperset(metrics):
                _check(TOO_MANY_METRICS, f"{path}.{kind}.columns", seen.metrics, metrics, self._limits.metrics)
                self._count(seen.metrics, metrics)
        elif kind == "params_logged":
            self._params_and_tags(namespace, run_id, event.params_logged.params, (), f"{path}.{kind}")
        elif kind == "tags_set":
            self._params_and_tags(namespace, run_id, (), event.tags_set.tags, f"{path}.{kind}")
        elif kind == "datasets_logged":
            datasets = [dataset_key(dataset) for dataset in event.datasets_logged.datasets]
            seen = self._seen(namespace, run_id)
            _check(TOO_MANY_DATASETS, f"{path}.{kind}.datasets", seen.datasets, datasets, self._limits.datasets)
            self._count(seen.datasets, datasets)
        elif kind == "artifact_logged" and self._stored is not None:
            self._stored.admit_bytes(namespace, event.artifact_logged.size_bytes)
        elif kind == "run_started":
            started = event.run_started
            self._params_and_tags(namespace, run_id, started.params, started.tags, f"{path}.{kind}")

    def _params_and_tags(
        self, namespace: str, run_id: bytes, given: Iterable[event_pb2.Param], tags: Iterable[str], path: str
    ) -> None:
        seen = self._seen(namespace, run_id)
        params, tags = [param.key for param in given], list(tags)
        _check(TOO_MANY_PARAMS, f"{path}.params", seen.params, params, self._limits.params)
        _check(TOO_MANY_TAGS, f"{path}.tags", seen.tags, tags, self._limits.tags)
        self._count(seen.params, params)
        self._count(seen.tags, tags)

    def _seen(self, namespace: str, run_id: bytes) -> _Seen:
        name = (namespace, run_id)
        seen = self._runs.get(name)
        if seen is None:
            seen = self._runs[name] = _Seen()
            self._keys += 1
            while self._keys > self._most_keys and len(self._runs) > 1:
                _, forgotten = self._runs.popitem(last=False)
                self._keys -= 1 + len(forgotten)
        else:
            self._runs.move_to_end(name)
        return seen

    def _count(self, have: set[str], keys: Iterable[str]) -> None:
        before = len(have)
        have.update(keys)
        self._keys += len(have) - before


def _check(reason: str, field_path: str, have: set[str], asked: list[str], limit: int) -> None:
    if len(have) + len(asked) > limit:
        excess = beyond(have, asked, limit)
        if excess:
            raise too_many(reason, field_path, excess, limit)
