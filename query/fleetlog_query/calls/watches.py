"""WatchRuns: a search that stays live."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

from fleetlog_core.errors import FailedPrecondition
from fleetlog_core.position import from_proto, merge
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import run_pb2, watch_pb2

from fleetlog_query.calls.base import QueryCalls, Services, check_experiments, remaining
from fleetlog_query.changes.moments import without_as_of
from fleetlog_query.runs.read_mask import parse_read_mask
from fleetlog_query.runs.response_size import PROBE_RUNS
from fleetlog_query.search.search import Search
from fleetlog_query.warehouse.cancellable import Costly, Work
from fleetlog_query.watch.run_changes import Held, pieces
from fleetlog_query.watch.run_watches import SEARCH_SECONDS, RunWatches, Watched
from fleetlog_query.watch.run_watching import Resumed, held_by, held_size, limit_of, resumed_of


class WatchCalls(QueryCalls):
    """Searches that stay live. Those that ask the same share one."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._watches = RunWatches(services.applied)

    def drain(self) -> None:
        """End watches, which would never end by themselves. From the event loop."""
        self._watches.close()
        super().drain()

    async def WatchRuns(  # noqa: N802
        self, request: watch_pb2.WatchRunsRequest, context: Context
    ) -> AsyncIterator[watch_pb2.WatchRunsResponse]:
        """See the proto."""
        scope = request.scope
        without_as_of(scope)
        namespace, mask = check_namespace(scope.namespace), parse_read_mask(request.read_mask)
        check_experiments("scope.", scope)
        limit, resumed = limit_of(request), resumed_of(request)
        at_least = merge(from_proto(scope.at_least), {} if resumed is None else resumed.position)
        if at_least:
            await self._applied.wait(at_least, remaining(context))

        def search() -> list[run_pb2.Run]:
            experiments = self._experiment_ids(namespace, scope.experiment_ids, scope.experiment_names)
            asked = Search(namespace, experiments, scope.filter, tuple(request.order_by), limit, scope.deleted_view)
            runs = self._services.searcher.foremost(asked)
            size = 0
            for first in range(0, len(runs), PROBE_RUNS):
                some = runs[first : first + PROBE_RUNS]
                self._documents.fill(namespace, some, mask, False)
                # All of them are kept while somebody watches.
                size = held_size(size, some)
            return runs

        same = watch_pb2.WatchRunsRequest()
        same.CopyFrom(request)
        for field in ("resume_from", "known"):
            same.ClearField(field)
        same.scope.ClearField("at_least")
        watched = Watched(
            same.SerializeToString(deterministic=True), lambda: self._searched(search),
            any("now" in text.lower() for text in (scope.filter, *request.order_by)),
        )  # fmt: skip
        changes = self._watches.changes(watched, lambda: self._held_by(namespace, resumed), at_least)
        async with aclosing(changes):
            async for change in changes:
                for piece in pieces(change):
                    yield piece

    async def _held_by(self, namespace: str, resumed: Resumed | None) -> Held:
        call = functools.partial(held_by, self._warehouse, namespace, resumed)
        return await self._run(self._services.threads, Work(SEARCH_SECONDS), call)

    async def _searched(self, search: Callable[[], list[run_pb2.Run]]) -> list[run_pb2.Run]:
        """All watches search one after another, again and again: none may take long. FILTER_COSTS_TOO_MUCH."""
        try:
            return await self._run(self._services.threads, Work(SEARCH_SECONDS, costly=False), search)
        except Costly:
            raise FailedPrecondition(
                "FILTER_COSTS_TOO_MUCH",
                "scope.filter: its patterns meet texts so long that to look at them takes seconds, and a watch does it"
                " again and again; watch with plainer patterns, or search instead",
            ) from None
