"""What the runs of a page hold.

A first page shows runs as they are. A later one shows them as of its position: attributes, params, tags, and those
metrics whose last values its filter and its order speak of. Other metrics, and the ranges of all, of a run that changed
since are as they are when the page is read: what they were then is known to their points alone, and to read those of
all metrics costs more than the search.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fleetlog_proto.v1 import run_pb2

from fleetlog_query.changes.changed_runs import ChangedRuns
from fleetlog_query.language.conditions import leaves, reads
from fleetlog_query.language.values import Key
from fleetlog_query.pages.page import PageQuery
from fleetlog_query.runs.documents import Documents
from fleetlog_query.runs.read_mask import ReadMask
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.scope import Scope


class _Read(Protocol):
    """Reads some runs as they are, or as they were."""

    def __call__(self, run_ids: Sequence[bytes], as_of: AsOf | None, /) -> Sequence[run_pb2.Run]: ...


class PageDocuments:
    """Reads the runs of pages."""

    def __init__(self, documents: Documents, changed_runs: ChangedRuns) -> None:
        self._documents = documents
        self._changed_runs = changed_runs

    def attributes(self, scope: Scope, run_ids: Sequence[bytes], position: AsOf) -> list[run_pb2.Run]:
        """Runs with their attributes alone, in the order asked for, as of a position."""

        def read(some: Sequence[bytes], as_of: AsOf | None) -> Sequence[run_pb2.Run]:
            return self._documents.attributes(scope.namespace, some, as_of, experiments=scope.experiments)

        found = self._as_of(scope, run_ids, position, read)
        for run in found.values():
            # Told of runs that are asked for by their ids alone.
            run.ClearField("delete_time_millis")
        return [found[run_id] for run_id in run_ids if run_id in found]

    def fill(
        self, query: PageQuery, position: AsOf | None, runs: Sequence[run_pb2.Run], mask: ReadMask, summaries: bool,
    ) -> None:  # fmt: skip
        """Put what the mask names into runs that have their attributes; None = as they are."""
        scope = query.scope
        if position is None or scope.as_of is not None or not mask.kinds:
            self._documents.fill(scope.namespace, runs, mask, summaries, scope.as_of)
            return
        referenced = _metrics_of(query)

        def read(some: Sequence[bytes], as_of: AsOf | None) -> Sequence[run_pb2.Run]:
            empty = [run_pb2.Run(run_id=run_id.hex()) for run_id in some]
            if as_of is None:
                self._documents.fill(scope.namespace, empty, mask, summaries)
            else:
                self._fill_then(scope.namespace, empty, mask, referenced, summaries, as_of)
            return empty

        found = self._as_of(scope, [bytes.fromhex(run.run_id) for run in runs], position, read)
        for run in runs:
            run.MergeFrom(found[bytes.fromhex(run.run_id)])

    def _as_of(self, scope: Scope, run_ids: Sequence[bytes], position: AsOf, read: _Read) -> dict[bytes, run_pb2.Run]:
        """Runs as of a position: those that have not changed since as they are, the others as they were."""
        if scope.as_of is not None:
            return _by_id(read(run_ids, position)) if run_ids else {}
        changed = self._changed(scope, run_ids, position)
        same = [run_id for run_id in run_ids if run_id not in changed]
        found: dict[bytes, run_pb2.Run] = {}
        if same:
            found = _by_id(read(same, None))
            # What changed while they were read may be in them.
            changed = self._changed(scope, run_ids, position)
        if changed:
            found |= _by_id(read(sorted(changed), position))
        return found

    def _changed(self, scope: Scope, run_ids: Sequence[bytes], position: AsOf) -> set[bytes]:
        touched = self._changed_runs.since(scope, position)
        return set(run_ids) if touched is None else touched.keys() & set(run_ids)

    def _fill_then(
        self, namespace: str, runs: Sequence[run_pb2.Run], mask: ReadMask, referenced: frozenset[str],
        summaries: bool, as_of: AsOf,
    ) -> None:  # fmt: skip
        """Fill as of a position, but for metrics that are not referenced and for ranges."""
        metrics = mask.kinds.get("metrics", frozenset())
        then = {kind: keys for kind, keys in mask.kinds.items() if kind != "metrics"}
        known = referenced if metrics is None else referenced & metrics
        if known:
            then["metrics"] = known
        self._documents.fill(namespace, runs, ReadMask(then), False, as_of)
        if metrics is not None and (not metrics or (metrics <= known and not summaries)):
            return
        now = [run_pb2.Run(run_id=run.run_id) for run in runs]
        self._documents.fill(namespace, now, ReadMask({"metrics": metrics}), summaries)
        for run, latest in zip(runs, now, strict=True):
            ranges = {metric.key: metric.range for metric in latest.metrics if metric.HasField("range")}
            for metric in run.metrics:
                if metric.key in ranges:
                    metric.range.CopyFrom(ranges[metric.key])
            found = [*run.metrics, *(metric for metric in latest.metrics if metric.key not in known)]
            run.ClearField("metrics")
            run.metrics.extend(sorted(found, key=lambda metric: metric.key))


def _by_id(runs: Sequence[run_pb2.Run]) -> dict[bytes, run_pb2.Run]:
    return {bytes.fromhex(run.run_id): run for run in runs}


def _metrics_of(query: PageQuery) -> frozenset[str]:
    """The metrics whose latest values the filter and the order speak of."""
    sources = [source for leaf in leaves(query.plan) for source in reads(leaf)]
    sources += [source for key in query.keys for source in key.sources]
    return frozenset(one.key for one in sources if isinstance(one, Key) and one.kind == "metrics")
