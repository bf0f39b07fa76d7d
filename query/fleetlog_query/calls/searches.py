"""SearchRuns, StreamRuns and ExplainSearch: runs by what they are, a page of them or all."""

from __future__ import annotations

import functools
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

from fleetlog_core.errors import NotFound
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import query_pb2

from fleetlog_query.calls.base import QueryCalls, Services, check_experiments, next_of
from fleetlog_query.changes.moments import now_of, position_of
from fleetlog_query.language.explain import PAGES, explain, tables
from fleetlog_query.language.plan import plan_of
from fleetlog_query.runs.read_mask import ReadMask, parse_read_mask
from fleetlog_query.runs.response_size import PROBE_RUNS, checked, runs_that_fit
from fleetlog_query.search.search import Search
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.order_by import parse_order
from fleetlog_query.stream.run_stream import READ_SECONDS, RunStream, RunStreams
from fleetlog_query.warehouse.cancellable import Work
from fleetlog_query.warehouse.holding import Holding


class SearchCalls(QueryCalls):
    """Runs by what they are."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._searcher = services.searcher
        self._streams = RunStreams(services.warehouse, services.searcher, services.documents, services.branches)

    async def SearchRuns(  # noqa: N802
        self, request: query_pb2.SearchRunsRequest, context: Context
    ) -> query_pb2.SearchRunsResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        mask = parse_read_mask(request.read_mask)
        check_experiments("", request)
        await self._wait(request.at_least, context, request.as_of)
        asked = await self._asked(namespace, request, context)
        return await self._do(context, self._search, asked, request, mask)

    async def StreamRuns(  # noqa: N802
        self, request: query_pb2.StreamRunsRequest, context: Context
    ) -> AsyncIterator[query_pb2.StreamRunsResponse]:
        """See the proto."""
        search = request.search
        namespace, mask = check_namespace(search.namespace), parse_read_mask(search.read_mask)
        check_experiments("search.", search)
        await self._wait(search.at_least, context, search.as_of)
        asked = await self._asked(namespace, search, context)
        found = await self._do(context, self._looked_in, asked, search)
        stream = RunStream(found, mask, search.summaries, request.format)

        def responses(holding: Holding) -> Iterator[query_pb2.StreamRunsResponse]:
            return self._streams.responses(stream, holding)

        async for response in self._services.answers.sent(context, responses, self._next_of_stream, _as_it_is):
            yield response

    async def ExplainSearch(  # noqa: N802
        self, request: query_pb2.ExplainSearchRequest, context: Context
    ) -> query_pb2.ExplainSearchResponse:
        """See the proto."""
        check_namespace(request.search.namespace)
        return await self._do(context, _explained, request.search)

    def _search(
        self, asked: Search, request: query_pb2.SearchRunsRequest, mask: ReadMask
    ) -> query_pb2.SearchRunsResponse:
        search = self._looked_in(asked, request)
        page = self._searcher.search(search)
        documents = self._services.page_documents
        first = page.runs[:PROBE_RUNS]
        documents.fill(page.query, page.as_of, first, mask, request.summaries)
        page = page.cut(runs_that_fit(first))
        documents.fill(page.query, page.as_of, page.runs[len(first) :], mask, request.summaries)
        response = query_pb2.SearchRunsResponse(runs=page.runs, next_page_token=page.next_page_token)
        if search.as_of is not None:
            response.as_of.CopyFrom(position_of(search.as_of))
        if page.total is not None:
            response.total_count = page.total.count
            response.total_count_is_lower_bound = page.total.is_lower_bound
        return checked(response)

    async def _asked(self, namespace: str, request: query_pb2.SearchRunsRequest, context: Context) -> Search:
        """The search without its experiments, once everything before the position of its token is there."""
        asked = self._searcher.going_on(asked_of(namespace, request), request.page_token)
        if asked.token is not None:
            # The tables may be others than those of the first page, and not as far yet.
            await self._wait(position_of(asked.token.position), context)
        if request.HasField("as_of"):
            if asked.token is not None:
                as_of = asked.token.position
            else:
                as_of = await self._do(context, self._services.history.as_of, request.as_of)
            asked = replace(asked, as_of=as_of, now_millis=now_of(request.as_of))
        return asked

    def _looked_in(self, search: Search, request: query_pb2.SearchRunsRequest) -> Search:
        """Search with its experiments: of a later page those of the first."""
        try:
            found = self._in_experiments(search, request, search.as_of)
            if search.as_of is not None or found.is_of_token:
                return found
        except NotFound:
            if search.token is None or search.as_of is not None:
                raise
        # One was made, renamed or deleted since.
        then = None if search.token is None else search.token.position
        return self._in_experiments(search, request, then)

    def _in_experiments(self, search: Search, request: query_pb2.SearchRunsRequest, as_of: AsOf | None) -> Search:
        ids = self._experiment_ids(search.namespace, request.experiment_ids, request.experiment_names, as_of)
        return replace(search, experiments=ids)

    async def _next_of_stream(
        self, responses: Iterator[query_pb2.StreamRunsResponse]
    ) -> query_pb2.StreamRunsResponse | None:
        # What was taken from a stream can't be taken again: if it costs much it waits where it is.
        return await self._run(self._services.stream_threads, Work(READ_SECONDS), functools.partial(next_of, responses))


def _explained(search: query_pb2.SearchRunsRequest) -> query_pb2.ExplainSearchResponse:
    now_millis = time.time() * 1000
    plan, keys = plan_of(search.filter, now_millis), parse_order(search.order_by, now_millis)
    past = search.HasField("as_of")
    return query_pb2.ExplainSearchResponse(
        lines=[*explain(plan, keys, past=past), *([] if past else [PAGES])],
        reads_points="points" in tables(plan, keys, past=past),
    )


def _as_it_is(response: query_pb2.StreamRunsResponse) -> query_pb2.StreamRunsResponse:
    return response


def asked_of(namespace: str, request: query_pb2.SearchRunsRequest) -> Search:
    """Search as the request says it by itself: without experiments, and without what it is as of."""
    return Search(
        namespace,
        (),
        request.filter,
        tuple(request.order_by),
        request.page_size,
        request.deleted_view,
        request.total_count,
        (*request.experiment_ids, *request.experiment_names),
        asked_as_of=request.as_of.SerializeToString(deterministic=True) if request.HasField("as_of") else b"",
    )
