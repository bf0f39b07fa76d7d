"""RegistryQueryService: reads of registered models. They share with the reads of runs what all calls share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fleetlog_core import limits
from fleetlog_core.applied import APPLIED, offsets_of
from fleetlog_core.errors import check_count
from fleetlog_core.ids import parse_id
from fleetlog_core.log.port import CONTROL, Partition
from fleetlog_core.registry.snapshot import Select, Snapshot
from fleetlog_core.registry.states import Kind, approval_of
from fleetlog_core.rules.names import check_key, check_label, check_namespace
from fleetlog_core.rules.registry import (
    check_alias,
    check_model_id,
    check_model_name,
    check_stage,
    check_version,
)
from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import (
    model_approval_pb2,
    model_history_pb2,
    model_version_pb2,
    registered_model_pb2,
    registry_pb2_grpc,
)
from google.protobuf.message import Message

from fleetlog_query.calls.base import ReadCalls
from fleetlog_query.registry import pages
from fleetlog_query.registry.history import ModelHistory, Place
from fleetlog_query.registry.reads import model_by_id, model_named, version_asked
from fleetlog_query.search.paging import Page

Result = TypeVar("Result")
Fitting = TypeVar("Fitting", bound=Message)
_Paged = (
    registered_model_pb2.SearchRegisteredModelsRequest
    | model_version_pb2.SearchModelVersionsRequest
    | model_history_pb2.ListCommentsRequest
    | model_approval_pb2.ListApprovalsRequest
    | model_history_pb2.ListModelHistoryRequest
)
_Request = _Paged | registered_model_pb2.GetRegisteredModelRequest | model_version_pb2.GetModelVersionRequest


class RegistryCalls(ReadCalls, registry_pb2_grpc.RegistryQueryServiceServicer):
    """See protos/fleetlog/v1/registry.proto."""

    async def GetRegisteredModel(  # noqa: N802
        self, request: registered_model_pb2.GetRegisteredModelRequest, context: Context
    ) -> registered_model_pb2.GetRegisteredModelResponse:
        """See the proto."""
        check_model_name(request.name, written=False)

        def read(snapshot: Snapshot) -> registered_model_pb2.RegisteredModel:
            return pages.read_models(snapshot, [model_named(snapshot, request.name).model_id])[0]

        return registered_model_pb2.GetRegisteredModelResponse(model=await self._read(request, context, read))

    async def SearchRegisteredModels(  # noqa: N802
        self, request: registered_model_pb2.SearchRegisteredModelsRequest, context: Context
    ) -> registered_model_pb2.SearchRegisteredModelsResponse:
        """See the proto."""
        check_label(request.name_contains, "name_contains", limits.MODEL_NAME_CHARACTERS)
        found = _tags(request)
        if request.name_contains:
            where = f"{found.where} AND positionCaseInsensitiveUTF8(name, {{part:String}}) > 0"
            found = pages.Found(where, {**found.binds, "part": request.name_contains})
        page = self._page(request)
        after = page.after[1] if page.after else ""

        def read(snapshot: Snapshot) -> tuple[list[registered_model_pb2.RegisteredModel], list[Any]]:
            keys = pages.models_by_name(snapshot, found, after, page.size + 1)
            latest = pages.latest_bytes(snapshot, [key.model_id for key in keys[: page.size]])
            taken = keys[: pages.fitting([key.bytes + latest.get(key.model_id, 0) for key in keys], page.size)]
            last = [taken[-1].name] if len(taken) < len(keys) else []
            return pages.read_models(snapshot, [key.model_id for key in taken]), last

        models, next_token = await self._search(request, context, page, read)
        return registered_model_pb2.SearchRegisteredModelsResponse(models=models, next_page_token=next_token)

    async def GetModelVersion(  # noqa: N802
        self, request: model_version_pb2.GetModelVersionRequest, context: Context
    ) -> model_version_pb2.GetModelVersionResponse:
        """See the proto."""
        check_model_name(request.name, written=False)
        which = request.WhichOneof("which")
        if which == "version":
            check_version(request.version)
        elif which == "alias":
            check_alias(request.alias, written=False)
        elif which == "stage":
            check_stage(request.stage)
        version = await self._read(request, context, lambda snapshot: version_asked(snapshot, request))
        return model_version_pb2.GetModelVersionResponse(version=version)

    async def SearchModelVersions(  # noqa: N802
        self, request: model_version_pb2.SearchModelVersionsRequest, context: Context
    ) -> model_version_pb2.SearchModelVersionsResponse:
        """See the proto."""
        if request.name:
            check_model_name(request.name, written=False)
        found = _version_conditions(request)
        page = self._page(request)

        def read(snapshot: Snapshot) -> tuple[list[model_version_pb2.ModelVersion], list[Any]]:
            model_id = model_named(snapshot, request.name).model_id if request.name else None
            keys = pages.versions_by_change(snapshot, found, page.after[1:], page.size + 1, model_id)
            taken = keys[: pages.fitting([key.bytes for key in keys], page.size)]
            last = [taken[-1].ver, taken[-1].model_id, taken[-1].number] if len(taken) < len(keys) else []
            return pages.read_versions(snapshot, taken), last

        versions, next_token = await self._search(request, context, page, read)
        return model_version_pb2.SearchModelVersionsResponse(versions=versions, next_page_token=next_token)

    async def ListComments(  # noqa: N802
        self, request: model_history_pb2.ListCommentsRequest, context: Context
    ) -> model_history_pb2.ListCommentsResponse:
        """See the proto."""
        check_model_name(request.name, written=False)
        version = _version_filter(request)
        page = self._page(request)

        def read(select: Select, namespace: str, before: int | None) -> model_history_pb2.ListCommentsResponse:
            model = model_named(Snapshot(select, namespace, before), request.name)
            history = ModelHistory(select, namespace, model.model_id, before)
            entries, token = _fitting(page, before, history.comments(version, _place(page), page.size + 1))
            comments = [
                model_history_pb2.ModelComment(
                    version=entry.version, user=entry.user, text=entry.comment, time_millis=entry.time_millis
                )
                for entry in entries
            ]
            return model_history_pb2.ListCommentsResponse(comments=comments, next_page_token=token)

        return await self._run_read(request, context, page.after, read)

    async def ListApprovals(  # noqa: N802
        self, request: model_approval_pb2.ListApprovalsRequest, context: Context
    ) -> model_approval_pb2.ListApprovalsResponse:
        """See the proto."""
        check_model_name(request.name, written=False)
        page = self._page(request)
        after = page.after[1] if page.after else 0

        def read(select: Select, namespace: str, before: int | None) -> model_approval_pb2.ListApprovalsResponse:
            snapshot = Snapshot(select, namespace, before)
            model = model_named(snapshot, request.name)
            which = " AND decision = {state:UInt8}" if request.state else ""
            answer = snapshot.select(
                Kind.APPROVAL,
                f"number > {{after:UInt64}}{which} ORDER BY number LIMIT {page.size + 1}",
                {"after": after, "state": request.state},
                model_ids=[model.model_id],
            )
            found = [approval_of(text) for text in answer.texts("state")]
            approvals, token = _fitting(page, before, [((one.number,), one) for one in found])
            return model_approval_pb2.ListApprovalsResponse(approvals=approvals, next_page_token=token)

        return await self._run_read(request, context, page.after, read)

    async def ListModelHistory(  # noqa: N802
        self, request: model_history_pb2.ListModelHistoryRequest, context: Context
    ) -> model_history_pb2.ListModelHistoryResponse:
        """See the proto."""
        if request.HasField("model_id"):
            check_model_id(request.model_id)
        else:
            check_model_name(request.name, written=False)
        version = _version_filter(request)
        page = self._page(request)

        def read(select: Select, namespace: str, before: int | None) -> model_history_pb2.ListModelHistoryResponse:
            snapshot = Snapshot(select, namespace, before)
            if request.HasField("model_id"):
                model = model_by_id(snapshot, request.model_id)
            else:
                model = model_named(snapshot, request.name)
            history = ModelHistory(select, namespace, model.model_id, before)
            entries, token = _fitting(page, before, history.entries(version, _place(page), page.size + 1))
            return model_history_pb2.ListModelHistoryResponse(entries=entries, next_page_token=token)

        return await self._run_read(request, context, page.after, read)

    async def _search(
        self,
        request: registered_model_pb2.SearchRegisteredModelsRequest | model_version_pb2.SearchModelVersionsRequest,
        context: Context,
        page: Page,
        read: Callable[[Snapshot], tuple[Result, list[Any]]],
    ) -> tuple[Result, str]:
        """A page, and the token of the next. One that another follows is as of a position, as are all behind it."""

        def found(select: Select, namespace: str, before: int | None) -> tuple[Result, str]:
            answer, last = read(Snapshot(select, namespace, before))
            if last and before is None:
                before = offsets_of(select(APPLIED)).get(Partition(CONTROL, 0), 0)
                answer, last = read(Snapshot(select, namespace, before))
            return answer, page.token([before, *last]) if last else ""

        return await self._run_read(request, context, page.after, found)

    async def _read(self, request: _Request, context: Context, read: Callable[[Snapshot], Result]) -> Result:
        return await self._run_read(
            request, context, [], lambda select, namespace, before: read(Snapshot(select, namespace, before))
        )

    async def _run_read(
        self,
        request: _Request,
        context: Context,
        token: list[Any],
        read: Callable[[Select, str, int | None], Result],
    ) -> Result:
        """In a thread, once what the answer has to hold is there. `token`: that of the page, which says as of when."""
        namespace = check_namespace(request.namespace)
        await self._wait(request.at_least, context, request.as_of if request.HasField("as_of") else None)

        def work() -> Result:
            before = token[0] if token else self._before(request.as_of if request.HasField("as_of") else None)
            return read(self._warehouse.select, namespace, before if isinstance(before, int) else None)

        return await self._do(context, work)

    def _page(self, request: _Paged) -> Page:
        """Its token holds as of when, and behind which row."""
        return Page.of(self._tokens, request, request.namespace)


def _fitting(
    page: Page, before: int | None, found: Sequence[tuple[Sequence[int], Fitting]]
) -> tuple[list[Fitting], str]:
    """Items, found with their places, that fit the page; and the token of the next, "" at the end."""
    taken = pages.fitting([one.ByteSize() for _, one in found], page.size)
    token = page.token([before, *found[taken - 1][0]]) if taken < len(found) else ""
    return [one for _, one in found[:taken]], token


def _place(page: Page) -> Place | None:
    return (page.after[1], page.after[2]) if page.after else None


def _version_filter(
    request: model_history_pb2.ListCommentsRequest | model_history_pb2.ListModelHistoryRequest,
) -> int | None:
    if not request.HasField("version"):
        return None
    if request.version:
        check_version(request.version)
    return request.version


def _tags(
    request: registered_model_pb2.SearchRegisteredModelsRequest | model_version_pb2.SearchModelVersionsRequest,
) -> pages.Found:
    check_count("tags", len(request.tags), 0, limits.FILTER_LOOKUPS)
    for key in sorted(request.tags):
        check_key(key, "tags", written=False)
    return pages.tag_conditions(request.tags)


def _version_conditions(request: model_version_pb2.SearchModelVersionsRequest) -> pages.Found:
    found = _tags(request)
    where, binds = found.where, dict(found.binds)
    check_count("run_ids", len(request.run_ids), 0, limits.RUNS_PER_READ)
    check_count("stages", len(request.stages), 0, limits.RUNS_PER_READ)
    if request.run_ids:
        where += " AND run_id IN (SELECT arrayJoin({runs:Array(String)}))"
        binds["runs"] = [parse_id(text, f"run_ids[{place}]").hex() for place, text in enumerate(request.run_ids)]
    if request.stages:
        for place, stage in enumerate(request.stages):
            check_stage(stage, f"stages[{place}]")
        where += " AND has({stages:Array(UInt64)}, stage)"
        binds["stages"] = list(map(int, request.stages))
    return pages.Found(where, binds)
