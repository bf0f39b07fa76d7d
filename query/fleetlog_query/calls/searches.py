"""SearchRuns, StreamRuns and ExplainSearch: runs by what they are, a page of them or all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

from fleetlog_core.rules.names import check_namespace
from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import query_pb2

from fleetlog_query.ahead import ahead
from fleetlog_query.calls.base import Parts, QueryCalls, Result, check_experiments, next_of, remaining
from fleetlog_query.filter.explain import explain, tables
from fleetlog_query.filter.plan import plan_of
from fleetlog_query.history import now_of, position_of
from fleetlog_query.order import parse_order
from fleetlog_query.read_mask import ReadMask, parse_read_mask
from fleetlog_query.response_size import PROBE_RUNS, checked, runs_that_fit
from fleetlog_query.run_stream import RunStream, RunStreams
from fleetlog_query.search import Search

STREAM_THREADS = 2


class SearchCalls(QueryCalls):
    """Runs by what they are."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._searcher = parts.searcher
        self._streams = RunStreams(parts.warehouse, parts.searcher, parts.documents)
        self._streaming = asyncio.Semaphore(STREAM_THREADS)

    async def SearchRuns(  # noqa: N802
        self, request: query_pb2.SearchRunsRequest, context: Context
    ) -> query_pb2.SearchRunsResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        mask = parse_read_mask(request.read_mask)
        check_experiments("", request)
        await self._wait(request.at_least, context, request.as_of)
        return await self._do(self._search, namespace, request, mask, remaining(context))

    async def StreamRuns(  # noqa: N802
        self, request: query_pb2.StreamRunsRequest, context: Context
    ) -> AsyncIterator[query_pb2.StreamRunsResponse]:
        """See the proto."""
        search = request.search
        namespace, mask = check_namespace(search.namespace), parse_read_mask(search.read_mask)
        check_experiments("search.", search)
        await self._wait(search.at_least, context, search.as_of)
        found = await self._do(self._search_of, namespace, search, remaining(context))
        arrow = request.format == query_pb2.RUN_FORMAT_ARROW
        responses = self._streams.responses(RunStream(found, mask, search.summaries, arrow))
        async for response in ahead(responses, self._next_of_stream):
            yield response

    async def ExplainSearch(  # noqa: N802
        self, request: query_pb2.ExplainSearchRequest, context: Context
    ) -> query_pb2.ExplainSearchResponse:
        """See the proto."""
        check_namespace(request.search.namespace)
        now_millis = time.time() * 1000
        plan = plan_of(request.search.filter, now_millis)
        keys = parse_order(request.search.order_by, now_millis)
        past = request.search.HasField("as_of")
        return query_pb2.ExplainSearchResponse(
            lines=explain(plan, keys, past=past), reads_points="points" in tables(plan, keys, past=past)
        )

    def _search(
        self, namespace: str, request: query_pb2.SearchRunsRequest, mask: ReadMask, timeout_seconds: float
    ) -> query_pb2.SearchRunsResponse:
        search = self._search_of(namespace, request, timeout_seconds)
        page = self._searcher.search(search, timeout_seconds, mask)
        first, others = page.runs[:PROBE_RUNS], page.runs[PROBE_RUNS:]
        self._documents.fill(namespace, first, mask, request.summaries, timeout_seconds, search.as_of, page.keys)
        fit = runs_that_fit(first)
        if fit < len(page.runs):
            page = self._searcher.search(replace(search, page_size=fit), timeout_seconds)
            others = page.runs
        self._documents.fill(namespace, others, mask, request.summaries, timeout_seconds, search.as_of)
        response = query_pb2.SearchRunsResponse(runs=page.runs, next_page_token=page.next_page_token)
        if search.as_of is not None:
            response.as_of.CopyFrom(position_of(search.as_of))
        if page.total is not None:
            response.total_count = page.total.count
            response.total_count_is_lower_bound = page.total.is_lower_bound
        return checked(response)

    def _search_of(self, namespace: str, request: query_pb2.SearchRunsRequest, timeout_seconds: float) -> Search:
        search = Search(
            namespace,
            (),
            request.filter,
            tuple(request.order_by),
            request.page_size,
            request.page_token,
            request.deleted_view,
            request.total_count,
            (*request.experiment_ids, *request.experiment_names),
        )
        if request.HasField("as_of"):
            search = replace(search, asked_as_of=request.as_of.SerializeToString(deterministic=True))
            pinned = bool(search.page_token)
            as_of = (
                self._searcher.pinned(search) if pinned else self._parts.history.as_of(request.as_of, timeout_seconds)
            )
            search = replace(search, as_of=as_of, now_millis=now_of(request.as_of))
        return replace(search, experiments=self._experiment_ids(namespace, request, timeout_seconds, search.as_of))

    async def _next_of_stream(self, responses: Iterator[Result]) -> Result | None:
        # Streams are patient: they leave the other threads to searches.
        async with self._streaming:
            return await self._do(next_of, responses)
