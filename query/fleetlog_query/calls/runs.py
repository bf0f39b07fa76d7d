"""GetRun, GetRuns and ListWriters: runs by their ids."""

from __future__ import annotations

from fleetlog_core import limits
from fleetlog_core.errors import check_count
from fleetlog_core.ids import parse_id
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import query_pb2, writer_pb2

from fleetlog_query.calls.base import QueryCalls, Services, run_not_found
from fleetlog_query.changes.moments import position_of
from fleetlog_query.runs.read_mask import parse_read_mask
from fleetlog_query.runs.response_size import checked
from fleetlog_query.search.paging import Page
from fleetlog_query.writers import NO_RANK, Writers


class RunCalls(QueryCalls):
    """Runs by their ids."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._writers = Writers(services.warehouse)

    async def GetRun(  # noqa: N802
        self, request: query_pb2.GetRunRequest, context: Context
    ) -> query_pb2.GetRunResponse:
        """See the proto."""
        namespace, run_id = check_namespace(request.namespace), parse_id(request.run_id)
        mask = parse_read_mask(request.read_mask)
        await self._wait(request.at_least, context)
        as_of = await self._as_of(request, context)
        held = await self._held(request.tell_position)
        runs = await self._do(context, self._documents.read, namespace, [run_id], mask, True, as_of)
        if not runs and held is not None:
            return query_pb2.GetRunResponse(position=held)
        if not runs:
            raise run_not_found(run_id)
        runs[0].problems.extend(await self._do(context, self._documents.problems, namespace, run_id, as_of))
        then = None if as_of is None else position_of(as_of)
        return checked(query_pb2.GetRunResponse(run=runs[0], as_of=then, position=held))

    async def GetRuns(  # noqa: N802
        self, request: query_pb2.GetRunsRequest, context: Context
    ) -> query_pb2.GetRunsResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        check_count("run_ids", len(request.run_ids), 0, limits.RUNS_PER_READ)
        run_ids = [parse_id(text, f"run_ids[{place}]") for place, text in enumerate(request.run_ids)]
        mask = parse_read_mask(request.read_mask)
        await self._wait(request.at_least, context)
        as_of = await self._as_of(request, context)
        runs = await self._do(context, self._documents.read, namespace, run_ids, mask, request.summaries, as_of)
        return checked(query_pb2.GetRunsResponse(runs=runs))

    async def ListWriters(  # noqa: N802
        self, request: writer_pb2.ListWritersRequest, context: Context
    ) -> writer_pb2.ListWritersResponse:
        """See the proto."""
        namespace, run_id = check_namespace(request.namespace), parse_id(request.run_id)
        page = Page.of(self._tokens, request, namespace)
        await self._wait(request.at_least, context)
        await self._check_run(namespace, run_id, context)
        after = (int(page.after[0]), bytes.fromhex(page.after[1])) if page.after else None
        found = await self._do(context, self._writers.page, namespace, run_id, after, page.size + 1)
        writers, token = page.cut(found, _place_of)
        return writer_pb2.ListWritersResponse(writers=writers, next_page_token=token)


def _place_of(writer: writer_pb2.Writer) -> list[int | str]:
    return [writer.rank if writer.HasField("rank") else NO_RANK, writer.writer_id]
