"""What the runs of a page hold.

A first page shows runs as they are. A later one shows them as of its position: attributes, params, tags, and those
metrics whose last values its filter and its order speak of. Other metrics, and the ranges of all, of a run that changed
since are as they are when the page is read: what they were then is known to their points alone, and to read those of
all metrics costs more than the search.
"""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog_proto.v1 import run_pb2

from fleetlog_query.language.values import Key
from fleetlog_query.pages.page import PageQuery
from fleetlog_query.runs.documents import Documents
from fleetlog_query.runs.read_mask import ReadMask
from fleetlog_query.search.search import Searcher, SearchPage
from fleetlog_query.snapshot.key_lookup import PastKeys
from fleetlog_query.snapshot.lookup import sources_of
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.scope import Scope
from fleetlog_query.warehouse.cancellable import CancellableWarehouse


class PageDocuments:
    """Fills the runs of pages."""

    def __init__(self, warehouse: CancellableWarehouse, documents: Documents, searcher: Searcher) -> None:
        self._warehouse = warehouse
        self._documents = documents
        self._searcher = searcher

    def fill(
        self, page: SearchPage, runs: Sequence[run_pb2.Run], mask: ReadMask, summaries: bool, timeout_seconds: float
    ) -> None:
        """Put what the mask names into runs of the page that have their attributes."""
        if page.compiled is None or not runs or not mask.kinds:
            return
        query, pin = page.compiled.query, None if page.is_first else page.compiled.pin
        scope = query.scope
        if pin is None:
            self._documents.fill(scope.namespace, runs, mask, summaries, timeout_seconds, scope.as_of)
            return
        by_id = {bytes.fromhex(run.run_id): run for run in runs}
        changed = self._changed(by_id, query, pin, timeout_seconds)
        same = [run for run_id, run in by_id.items() if run_id not in changed]
        self._documents.fill(scope.namespace, same, mask, summaries, timeout_seconds)
        if same:
            # What changed while they were filled may be in them.
            changed = self._changed(by_id, query, pin, timeout_seconds)
        past = {run_id: by_id[run_id] for run_id in changed}
        PastKeys(self._warehouse, scope.namespace, past, pin, timeout_seconds).put(mask, _metrics_of(query))
        if past and summaries and "metrics" in mask.kinds:
            self._add_ranges(list(past.values()), mask, scope, timeout_seconds)

    def _changed(
        self, runs: dict[bytes, run_pb2.Run], query: PageQuery, pin: AsOf, timeout_seconds: float
    ) -> set[bytes]:
        touched = self._searcher.touches.since(query.scope, pin, timeout_seconds)
        return {run_id for run_id in runs if touched is None or run_id in touched}

    def _add_ranges(
        self, runs: Sequence[run_pb2.Run], mask: ReadMask, scope: Scope, timeout_seconds: float
    ) -> None:  # fmt: skip
        """The ranges as they are now."""
        now = {run.run_id: run_pb2.Run(run_id=run.run_id) for run in runs}
        metrics = ReadMask({"metrics": mask.kinds["metrics"]})
        self._documents.fill(scope.namespace, list(now.values()), metrics, True, timeout_seconds)
        for run in runs:
            found = {metric.key: metric for metric in now[run.run_id].metrics}
            for metric in run.metrics:
                if metric.key in found and found[metric.key].HasField("range"):
                    metric.range.CopyFrom(found[metric.key].range)


def _metrics_of(query: PageQuery) -> frozenset[str]:
    """The metrics whose latest values the filter and the order speak of."""
    return frozenset(one.key for one in sources_of(query) if isinstance(one, Key) and one.kind == "metrics")
