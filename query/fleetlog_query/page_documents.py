"""What the runs of a page hold.

A first page shows runs as they are. A later one shows them as of its position: attributes, params, tags, and those
metrics whose last values its filter and its order speak of. Other metrics, and the ranges of all, of a run that changed
since are as they are when the page is read: what they were then is known to their points alone, and to read those of
all metrics costs more than the search.
"""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import run_pb2

from fleetlog_query.as_of import BY_RUN, AsOf
from fleetlog_query.binds import Binds
from fleetlog_query.documents import Documents
from fleetlog_query.filter.conditions import leaves, reads
from fleetlog_query.filter.values import Key
from fleetlog_query.page import PageQuery
from fleetlog_query.read_mask import ReadMask
from fleetlog_query.scope import Scope
from fleetlog_query.search import Searcher, SearchPage
from fleetlog_query.settled import differences, settle


class PageDocuments:
    """Fills the runs of pages."""

    def __init__(self, warehouse: Warehouse, documents: Documents, searcher: Searcher) -> None:
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
            self._documents.fill(scope.namespace, runs, mask, summaries, timeout_seconds, scope.as_of, page.keys)
            return
        by_id = {bytes.fromhex(run.run_id): run for run in runs}
        changed = self._changed(by_id, query, pin, timeout_seconds)
        same = [run for run_id, run in by_id.items() if run_id not in changed]
        self._documents.fill(scope.namespace, same, mask, summaries, timeout_seconds, None, page.keys)
        if same:
            # What changed while they were filled may be in them.
            changed = self._changed(by_id, query, pin, timeout_seconds)

        asked = mask.kinds.get("metrics", frozenset())
        spoken = _metrics_of(query) if asked is None else _metrics_of(query) & asked
        kinds = {kind: keys for kind, keys in mask.kinds.items() if kind != "metrics"}
        then = ReadMask({**kinds, "metrics": spoken} if spoken else kinds)

        def fill(run_ids: list[bytes]) -> None:
            some = [by_id[one] for one in run_ids]
            for run in some:
                for field in ("params", "tags", "metrics"):
                    run.ClearField(field)
            self._documents.fill(scope.namespace, some, then, False, timeout_seconds, pin)

        def where(run_ids: Sequence[bytes], binds: Binds) -> str:
            return f"namespace = {binds.text(scope.namespace)} AND run_id IN {binds.run_ids(run_ids)}"

        settle(changed, fill, differences(self._warehouse, BY_RUN, then.kinds, where, pin, timeout_seconds))
        if changed and "metrics" in mask.kinds and (asked != spoken or summaries):
            self._add_metrics([by_id[one] for one in changed], spoken, asked, summaries, scope, timeout_seconds)

    def _changed(
        self, runs: dict[bytes, run_pb2.Run], query: PageQuery, pin: AsOf, timeout_seconds: float
    ) -> set[bytes]:
        touched = self._searcher.touches.since(query.scope, pin, timeout_seconds)
        return {run_id for run_id in runs if touched is None or run_id in touched}

    def _add_metrics(
        self, runs: Sequence[run_pb2.Run], spoken: frozenset[str], asked: frozenset[str] | None, summaries: bool,
        scope: Scope, timeout_seconds: float,
    ) -> None:  # fmt: skip
        """What is not of the past: the metrics that are not spoken of, and the ranges of all."""
        now = {run.run_id: run_pb2.Run(run_id=run.run_id) for run in runs}
        metrics = ReadMask({"metrics": asked})
        self._documents.fill(scope.namespace, list(now.values()), metrics, summaries, timeout_seconds)
        for run in runs:
            found = {metric.key: metric for metric in now[run.run_id].metrics}
            for metric in run.metrics:
                if metric.key in found and found[metric.key].HasField("range"):
                    metric.range.CopyFrom(found[metric.key].range)
            metrics_now = [metric for key, metric in found.items() if key not in spoken]
            both = sorted([*run.metrics, *metrics_now], key=lambda metric: metric.key)
            run.ClearField("metrics")
            run.metrics.extend(both)


def _metrics_of(query: PageQuery) -> frozenset[str]:
    """The metrics whose latest values the filter and the order speak of."""
    sources = [source for leaf in leaves(query.plan) for source in reads(leaf)]
    sources += [source for key in query.keys for source in key.sources]
    return frozenset(one.key for one in sources if isinstance(one, Key) and one.kind == "metrics")
