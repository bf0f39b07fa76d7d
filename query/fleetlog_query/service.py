"""QueryService over the ports."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import TypeVar

from fleetlog_core import limits
from fleetlog_core.applied import AppliedWatch
from fleetlog_core.errors import DeadlineExceeded, InvalidArgument, NotFound
from fleetlog_core.ids import parse_id
from fleetlog_core.objects.port import ObjectName, ObjectStore
from fleetlog_core.position import from_proto, merge, to_proto
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.rules.paths import check_artifact_path
from fleetlog_core.serving.errors import Context
from fleetlog_core.serving.traces import ContextThreads
from fleetlog_core.warehouse.port import TimedOut, Warehouse
from fleetlog_proto.v1 import (
    facets_pb2,
    position_pb2,
    query_pb2,
    query_pb2_grpc,
    run_pb2,
    scope_pb2,
    selection_pb2,
    watch_pb2,
)

from fleetlog_query.ahead import ahead
from fleetlog_query.artifacts import Artifacts
from fleetlog_query.as_of import AsOf
from fleetlog_query.cancelling import CancellableWarehouse, Work
from fleetlog_query.documents import Documents
from fleetlog_query.experiments import Experiments, chosen, shown_in
from fleetlog_query.facets.answer import Facets
from fleetlog_query.filter.explain import explain, tables
from fleetlog_query.filter.plan import plan_of
from fleetlog_query.history import History, now_of, position_of, without_as_of
from fleetlog_query.order import parse_order
from fleetlog_query.page_token import PageTokens, check_page_size
from fleetlog_query.read_mask import ReadMask, parse_read_mask
from fleetlog_query.response_size import PROBE_RUNS, checked, runs_that_fit
from fleetlog_query.run_changes import pieces
from fleetlog_query.run_stream import RunStream, RunStreams
from fleetlog_query.run_watches import SEARCH_SECONDS, RunWatches, Watched
from fleetlog_query.run_watching import held_by, held_size, limit_of, resumed_of
from fleetlog_query.scope import Scope
from fleetlog_query.search import Search, Searcher
from fleetlog_query.selection.answer import Selector
from fleetlog_query.series import SeriesReader
from fleetlog_query.series_query import series_query_of

DEFAULT_TIMEOUT_SECONDS = 30.0
STREAM_THREADS = 2
Result = TypeVar("Result")


class QueryServicer(query_pb2_grpc.QueryServiceServicer):
    """See protos/fleetlog/v1/query.proto."""

    def __init__(self, warehouse: Warehouse, objects: ObjectStore, applied: AppliedWatch, token_key: bytes) -> None:
        self._objects = objects
        self._applied = applied
        warehouse = self._warehouse = CancellableWarehouse(warehouse)
        self._searcher = Searcher(warehouse, token_key, applied)
        self._tokens = PageTokens(token_key)
        self._documents = Documents(warehouse)
        self._experiments = Experiments(warehouse, applied)
        self._history = History(warehouse)
        self._series = SeriesReader(warehouse)
        self._artifacts = Artifacts(warehouse)
        self._streams = RunStreams(warehouse, self._searcher, self._documents)
        self._watches = RunWatches(applied)
        self._streaming = asyncio.Semaphore(STREAM_THREADS)
        self._facets = Facets(warehouse, self._tokens)
        self._selector = Selector(warehouse, self._documents)
        self._executor = ContextThreads(8, "query")

    def drain(self) -> None:
        """End watches, which would never end by themselves. From the event loop."""
        self._watches.close()

    def close(self) -> None:
        """Let the threads go."""
        self._executor.shutdown()
        self._facets.close()
        self._warehouse.close()

    # -- runs -------------------------------------------------------------------------------------------------

    async def GetRun(  # noqa: N802
        self, request: query_pb2.GetRunRequest, context: Context
    ) -> query_pb2.GetRunResponse:
        """See the proto."""
        namespace, run_id = check_namespace(request.namespace), parse_id(request.run_id)
        mask = parse_read_mask(request.read_mask)
        await self._wait(request.at_least, context)
        timeout = _remaining(context)
        as_of = await self._as_of(request, context)
        runs = await self._do(self._documents.read, namespace, [run_id], mask, True, timeout, as_of)
        if not runs:
            raise _run_not_found(run_id)
        runs[0].problems.extend(await self._do(self._documents.problems, namespace, run_id, timeout, as_of))
        return checked(query_pb2.GetRunResponse(run=runs[0], as_of=None if as_of is None else position_of(as_of)))

    async def GetRuns(  # noqa: N802
        self, request: query_pb2.GetRunsRequest, context: Context
    ) -> query_pb2.GetRunsResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        _check_count("run_ids", len(request.run_ids), 0, limits.RUNS_PER_READ)
        run_ids = [parse_id(text, f"run_ids[{place}]") for place, text in enumerate(request.run_ids)]
        mask = parse_read_mask(request.read_mask)
        await self._wait(request.at_least, context)
        as_of, timeout = await self._as_of(request, context), _remaining(context)
        runs = await self._do(self._documents.read, namespace, run_ids, mask, request.summaries, timeout, as_of)
        return checked(query_pb2.GetRunsResponse(runs=runs))

    async def SearchRuns(  # noqa: N802
        self, request: query_pb2.SearchRunsRequest, context: Context
    ) -> query_pb2.SearchRunsResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        mask = parse_read_mask(request.read_mask)
        _check_experiments("", request)
        await self._wait(request.at_least, context, request.as_of)
        return await self._do(self._search, namespace, request, mask, _remaining(context))

    def _search(
        self, namespace: str, request: query_pb2.SearchRunsRequest, mask: ReadMask, timeout_seconds: float
    ) -> query_pb2.SearchRunsResponse:
        search = self._search_of(namespace, request, timeout_seconds)
        page = self._searcher.search(search, timeout_seconds)
        first, others = page.runs[:PROBE_RUNS], page.runs[PROBE_RUNS:]
        self._documents.fill(namespace, first, mask, request.summaries, timeout_seconds, search.as_of)
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
            as_of = self._searcher.pinned(search) if pinned else self._history.as_of(request.as_of, timeout_seconds)
            search = replace(search, as_of=as_of, now_millis=now_of(request.as_of))
        return replace(search, experiments=self._experiment_ids(namespace, request, timeout_seconds, search.as_of))

    async def StreamRuns(  # noqa: N802
        self, request: query_pb2.StreamRunsRequest, context: Context
    ) -> AsyncIterator[query_pb2.StreamRunsResponse]:
        """See the proto."""
        search = request.search
        namespace, mask = check_namespace(search.namespace), parse_read_mask(search.read_mask)
        _check_experiments("search.", search)
        await self._wait(search.at_least, context, search.as_of)
        found = await self._do(self._search_of, namespace, search, _remaining(context))
        arrow = request.format == query_pb2.RUN_FORMAT_ARROW
        responses = self._streams.responses(RunStream(found, mask, search.summaries, arrow))
        async for response in ahead(responses, self._next_of_stream):
            yield response

    async def _next_of_stream(self, responses: Iterator[Result]) -> Result | None:
        # Streams are patient: they leave the other threads to searches.
        async with self._streaming:
            return await self._do(_next, responses)

    async def WatchRuns(  # noqa: N802
        self, request: watch_pb2.WatchRunsRequest, context: Context
    ) -> AsyncIterator[watch_pb2.WatchRunsResponse]:
        """See the proto."""
        scope = request.scope
        without_as_of(scope)
        namespace, mask = check_namespace(scope.namespace), parse_read_mask(request.read_mask)
        _check_experiments("scope.", scope)
        limit, resumed = limit_of(request), resumed_of(request)
        at_least = merge(from_proto(scope.at_least), {} if resumed is None else resumed.position)
        if at_least:
            await self._applied.wait(at_least, _remaining(context))

        def search() -> list[run_pb2.Run]:
            experiments = self._experiment_ids(namespace, scope, SEARCH_SECONDS)
            asked = Search(namespace, experiments, scope.filter, tuple(request.order_by), limit, "", scope.deleted_view)
            runs = self._searcher.search(asked, SEARCH_SECONDS).runs
            size = 0
            for first in range(0, len(runs), PROBE_RUNS):
                some = runs[first : first + PROBE_RUNS]
                self._documents.fill(namespace, some, mask, False, SEARCH_SECONDS)
                # All of them are kept while somebody watches.
                size = held_size(size, some)
            return runs

        same = watch_pb2.WatchRunsRequest()
        same.CopyFrom(request)
        for field in ("resume_from", "known"):
            same.ClearField(field)
        same.scope.ClearField("at_least")
        watched = Watched(
            same.SerializeToString(deterministic=True), lambda: self._do(search),
            any("now" in text.lower() for text in (scope.filter, *request.order_by)),
        )  # fmt: skip
        changes = self._watches.changes(
            watched, lambda: self._do(held_by, self._warehouse, namespace, resumed, SEARCH_SECONDS), at_least
        )
        async with aclosing(changes):
            async for change in changes:
                for piece in pieces(change):
                    yield piece

    async def ExplainSearch(  # noqa: N802
        self, request: query_pb2.ExplainSearchRequest, context: Context
    ) -> query_pb2.ExplainSearchResponse:
        """See the proto."""
        check_namespace(request.search.namespace)
        now_millis = time.time() * 1000
        plan = plan_of(request.search.filter, now_millis)
        keys = parse_order(request.search.order_by, now_millis)
        return query_pb2.ExplainSearchResponse(lines=explain(plan, keys), reads_points="points" in tables(plan, keys))

    def _experiment_ids(
        self,
        namespace: str,
        request: query_pb2.SearchRunsRequest | scope_pb2.RunScope,
        timeout_seconds: float,
        as_of: AsOf | None = None,
    ) -> tuple[int, ...]:
        ids = set(request.experiment_ids)
        if as_of is not None and as_of.control is not None:
            if request.experiment_names or not ids:
                then = self._experiments.as_of(namespace, as_of.control, timeout_seconds)
                ids.update(chosen(then, request.experiment_names))
        elif request.experiment_names:
            for name in dict.fromkeys(request.experiment_names):
                ids.add(self._experiments.by_name(namespace, name, timeout_seconds).experiment_id)
        elif not ids:
            ids.update(e.experiment_id for e in self._experiments.all(namespace, timeout_seconds) if not e.deleted)
        return tuple(sorted(ids))

    # -- facets and selection ---------------------------------------------------------------------------------

    async def ListKeys(  # noqa: N802
        self, request: facets_pb2.ListKeysRequest, context: Context
    ) -> facets_pb2.ListKeysResponse:
        """See the proto."""
        without_as_of(request.scope)
        scope = await self._scoped(request.scope, context)
        hidden = await self._do(self._hidden_experiments, scope.namespace, _remaining(context))
        return await self._do(self._facets.keys, request, scope, hidden, _remaining(context))

    async def ListValues(  # noqa: N802
        self, request: facets_pb2.ListValuesRequest, context: Context
    ) -> facets_pb2.ListValuesResponse:
        """See the proto."""
        without_as_of(request.scope)
        scope = await self._scoped(request.scope, context)
        return await self._do(self._facets.values, request, scope, _remaining(context))

    async def SelectRuns(  # noqa: N802
        self, request: selection_pb2.SelectRunsRequest, context: Context
    ) -> selection_pb2.SelectRunsResponse:
        """See the proto."""
        scope = await self._scoped(request.scope, context)
        # Before anything is read: the answer holds that, and maybe more.
        position = to_proto(await self._applied.now()) if scope.as_of is None else position_of(scope.as_of)
        response = await self._do(self._selector.select, request, scope, _remaining(context))
        response.position.CopyFrom(position)
        return checked(response)

    def _hidden_experiments(self, namespace: str, timeout_seconds: float) -> tuple[int, ...]:
        return tuple(sorted(e.experiment_id for e in self._experiments.all(namespace, timeout_seconds) if e.deleted))

    async def _scoped(self, scope: scope_pb2.RunScope, context: Context) -> Scope:
        """Where it looks, once what it must hold is there."""
        namespace = check_namespace(scope.namespace)
        _check_experiments("scope.", scope)
        await self._wait(scope.at_least, context)
        as_of = await self._as_of(scope, context)
        experiments = await self._do(self._experiment_ids, namespace, scope, _remaining(context), as_of)
        return Scope(namespace, experiments, as_of=as_of)

    # -- experiments ------------------------------------------------------------------------------------------

    async def GetExperiment(  # noqa: N802
        self, request: query_pb2.GetExperimentRequest, context: Context
    ) -> query_pb2.GetExperimentResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        await self._wait(request.at_least, context)
        timeout = _remaining(context)
        if request.WhichOneof("which") == "name":
            found = await self._do(self._experiments.by_name, namespace, request.name, timeout)
        else:
            found = await self._do(self._experiments.by_number, namespace, request.experiment_id, timeout)
        return query_pb2.GetExperimentResponse(experiment=found)

    async def ListExperiments(  # noqa: N802
        self, request: query_pb2.ListExperimentsRequest, context: Context
    ) -> query_pb2.ListExperimentsResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        size = check_page_size(request.page_size, 100, limits.PAGE_SIZE)
        purpose = f"experiments:{namespace}:{request.deleted_view}"
        after = int(self._tokens.read(purpose, request.page_token)[0]) if request.page_token else -1
        await self._wait(request.at_least, context)
        found = await self._do(self._experiments.all, namespace, _remaining(context))
        left = [e for e in found if e.experiment_id > after and shown_in(e, request.deleted_view)]
        token = self._tokens.make(purpose, [left[size - 1].experiment_id]) if len(left) > size else ""
        return query_pb2.ListExperimentsResponse(experiments=left[:size], next_page_token=token)

    # -- metrics ----------------------------------------------------------------------------------------------

    async def ReadMetric(  # noqa: N802
        self, request: query_pb2.ReadMetricRequest, context: Context
    ) -> AsyncIterator[query_pb2.ReadMetricResponse]:
        """See the proto."""
        query = series_query_of(request)
        await self._wait(request.at_least, context)
        responses = self._series.read(query, _remaining(context))
        while (response := await self._do(_next, responses)) is not None:
            yield response

    # -- artifacts --------------------------------------------------------------------------------------------

    async def ListArtifacts(  # noqa: N802
        self, request: query_pb2.ListArtifactsRequest, context: Context
    ) -> query_pb2.ListArtifactsResponse:
        """See the proto."""
        namespace, run_id = check_namespace(request.namespace), parse_id(request.run_id)
        if request.path:
            check_artifact_path(request.path)
        size = check_page_size(request.page_size, 1_000, 10_000)
        purpose = f"artifacts:{namespace}:{run_id.hex()}:{request.path}"
        after = str(self._tokens.read(purpose, request.page_token)[0]) if request.page_token else ""
        await self._wait(request.at_least, context)
        timeout = _remaining(context)
        await self._check_run(namespace, run_id, timeout)
        found = await self._do(self._artifacts.below, namespace, run_id, request.path, after, size + 1, timeout)
        token = self._tokens.make(purpose, [found[size - 1].path]) if len(found) > size else ""
        return query_pb2.ListArtifactsResponse(artifacts=found[:size], next_page_token=token)

    async def DownloadArtifact(  # noqa: N802
        self, request: query_pb2.DownloadArtifactRequest, context: Context
    ) -> AsyncIterator[query_pb2.DownloadArtifactResponse]:
        """See the proto."""
        namespace, run_id = check_namespace(request.namespace), parse_id(request.run_id)
        check_artifact_path(request.path)
        await self._wait(request.at_least, context)
        timeout = _remaining(context)
        await self._check_run(namespace, run_id, timeout)
        artifact = await self._do(self._artifacts.at, namespace, run_id, request.path, timeout)
        if artifact is None:
            raise NotFound("ARTIFACT_NOT_FOUND", "the run has no artifact of that path")
        if not 0 <= request.offset_bytes <= artifact.size_bytes:
            raise InvalidArgument.of_field(
                "OFFSET_INVALID", "offset_bytes", f"{request.offset_bytes} is not 0 to {artifact.size_bytes}"
            )
        yield query_pb2.DownloadArtifactResponse(artifact=artifact)
        name = ObjectName(namespace, run_id, artifact.sha256)
        chunks = await self._do(self._objects.read, name, request.offset_bytes, limits.CHUNK_BYTES)
        while (chunk := await self._do(_next, chunks)) is not None:
            yield query_pb2.DownloadArtifactResponse(chunk=chunk)

    async def WaitForPosition(  # noqa: N802
        self, request: query_pb2.WaitForPositionRequest, context: Context
    ) -> query_pb2.WaitForPositionResponse:
        """See the proto."""
        await self._wait(request.position, context)
        return query_pb2.WaitForPositionResponse()

    # -- parts ------------------------------------------------------------------------------------------------

    async def _check_run(self, namespace: str, run_id: bytes, timeout_seconds: float) -> None:
        mask = parse_read_mask(["attributes"])
        if not await self._do(self._documents.read, namespace, [run_id], mask, False, timeout_seconds):
            raise _run_not_found(run_id)

    async def _as_of(
        self, request: query_pb2.GetRunRequest | query_pb2.GetRunsRequest | scope_pb2.RunScope, context: Context
    ) -> AsOf | None:
        """The position that is asked for, once everything before it is there."""
        if not request.HasField("as_of"):
            return None
        await self._wait(position_pb2.Position(), context, request.as_of)
        return await self._do(self._history.as_of, request.as_of, _remaining(context))

    async def _wait(
        self, position: position_pb2.Position, context: Context, as_of: scope_pb2.AsOf | None = None
    ) -> None:
        wanted = from_proto(position)
        if as_of is not None and as_of.HasField("position"):
            wanted = merge(wanted, from_proto(as_of.position, "as_of.position"))
        if wanted:
            await self._applied.wait(wanted, _remaining(context))

    async def _do(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Blocking work in a thread. It ends in the warehouse too when the caller cancels or its deadline passes."""
        loop, work = asyncio.get_running_loop(), Work()
        call = functools.partial(function, *arguments)
        try:
            return await loop.run_in_executor(self._executor, self._warehouse.run, work, call)
        except asyncio.CancelledError:
            self._warehouse.cancel(work)
            raise
        except TimedOut:
            raise DeadlineExceeded("READ_TIMED_OUT", "the read took longer than its deadline; ask for less") from None


def _next(items: Iterator[Result]) -> Result | None:
    return next(items, None)


def _remaining(context: Context) -> float:
    remaining = context.time_remaining()
    return DEFAULT_TIMEOUT_SECONDS if remaining is None else max(0.001, remaining)


def _check_count(field: str, count: int, least: int, most: int) -> None:
    if not least <= count <= most:
        raise InvalidArgument.of_field("OVER_LIMIT", field, f"{count:,} is not {least} to {most:,}")


def _check_experiments(path: str, request: query_pb2.SearchRunsRequest | scope_pb2.RunScope) -> None:
    for field, count in (
        ("experiment_ids", len(request.experiment_ids)), ("experiment_names", len(request.experiment_names)),
    ):  # fmt: skip
        _check_count(path + field, count, 0, limits.EXPERIMENTS_PER_SEARCH)


def _run_not_found(run_id: bytes) -> NotFound:
    return NotFound("RUN_NOT_FOUND", f"there is no run {run_id.hex()} in this namespace")
