"""RegistryQueryService: reads of registered models. They share with the reads of runs what all calls share."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

from fleetlog_core import limits
from fleetlog_core.applied import APPLIED, offsets_of
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

from fleetlog_query.calls.base import ReadCalls, check_count
from fleetlog_query.registry import pages
from fleetlog_query.registry.history import ModelHistory, Place
from fleetlog_query.registry.reads import model_by_id, model_named, version_asked
from fleetlog_query.search.token import check_page_size

DEFAULT_PAGE = 100
Result = TypeVar("Result")
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
        size, token = self._page(request)
        after = str(token[1]) if token else ""

        def keys(snapshot: Snapshot) -> list[pages.Key]:
            return pages.models_by_name(snapshot, found, after, size + 1)

        def read(
            snapshot: Snapshot, keys: list[pages.Key]
        ) -> tuple[list[registered_model_pb2.RegisteredModel], list[object]]:
            latest = pages.latest_bytes(snapshot, [key.model_id for key in keys[:size]])
            taken = keys[: pages.fitting([key.bytes + latest.get(key.model_id, 0) for key in keys], size)]
            last = [taken[-1].name] if len(taken) < len(keys) else []
            return pages.read_models(snapshot, [key.model_id for key in taken]), list(last)

        models, next_token = await self._search(request, context, token, keys, read)
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
        size, token = self._page(request)
        after = [int(one) for one in token[1:]]

        def keys(snapshot: Snapshot) -> list[pages.Key]:
            model_id = model_named(snapshot, request.name).model_id if request.name else None
            return pages.versions_by_change(snapshot, found, after, size + 1, model_id)

        def read(
            snapshot: Snapshot, keys: list[pages.Key]
        ) -> tuple[list[model_version_pb2.ModelVersion], list[object]]:
            taken = keys[: pages.fitting([key.bytes for key in keys], size)]
            last = [taken[-1].ver, taken[-1].model_id, taken[-1].number] if len(taken) < len(keys) else []
            return pages.read_versions(snapshot, taken), list(last)

        versions, next_token = await self._search(request, context, token, keys, read)
        return model_version_pb2.SearchModelVersionsResponse(versions=versions, next_page_token=next_token)

    async def ListComments(  # noqa: N802
        self, request: model_history_pb2.ListCommentsRequest, context: Context
    ) -> model_history_pb2.ListCommentsResponse:
        """See the proto."""
        check_model_name(request.name, written=False)
        version = _version_filter(request)
        size, token = self._page(request)

        def read(select: Select, namespace: str, before: int | None) -> model_history_pb2.ListCommentsResponse:
            model = model_named(Snapshot(select, namespace, before), request.name)
            history = ModelHistory(select, namespace, model.model_id, before)
            rows = history.comments(version, _place(token), size + 1)
            taken = pages.fitting([entry.ByteSize() for _, entry in rows], size)
            comments = [
                model_history_pb2.ModelComment(
                    version=entry.version, user=entry.user, text=entry.comment, time_millis=entry.time_millis
                )
                for _, entry in rows[:taken]
            ]
            next_token = self._token(request, [before, *rows[taken - 1][0]]) if taken < len(rows) else ""
            return model_history_pb2.ListCommentsResponse(comments=comments, next_page_token=next_token)

        return await self._run_read(request, context, token, read)

    async def ListApprovals(  # noqa: N802
        self, request: model_approval_pb2.ListApprovalsRequest, context: Context
    ) -> model_approval_pb2.ListApprovalsResponse:
        """See the proto."""
        check_model_name(request.name, written=False)
        size, token = self._page(request)
        after = int(token[1]) if token else 0

        def read(select: Select, namespace: str, before: int | None) -> model_approval_pb2.ListApprovalsResponse:
            snapshot = Snapshot(select, namespace, before)
            model = model_named(snapshot, request.name)
            which = " AND decision = {state:UInt8}" if request.state else ""
            answer = snapshot.select(
                Kind.APPROVAL,
                f"number > {{after:UInt64}}{which} ORDER BY number LIMIT {size + 1}",
                {"after": after, "state": request.state},
                model_ids=[model.model_id],
            )
            approvals = [approval_of(text) for text in answer.texts("state")]
            taken = pages.fitting([approval.ByteSize() for approval in approvals], size)
            more = taken < len(approvals)
            next_token = self._token(request, [before, approvals[taken - 1].number]) if more else ""
            return model_approval_pb2.ListApprovalsResponse(approvals=approvals[:taken], next_page_token=next_token)

        return await self._run_read(request, context, token, read)

    async def ListModelHistory(  # noqa: N802
        self, request: model_history_pb2.ListModelHistoryRequest, context: Context
    ) -> model_history_pb2.ListModelHistoryResponse:
        """See the proto."""
        if request.HasField("model_id"):
            check_model_id(request.model_id)
        else:
            check_model_name(request.name, written=False)
        version = _version_filter(request)
        size, token = self._page(request)

        def read(select: Select, namespace: str, before: int | None) -> model_history_pb2.ListModelHistoryResponse:
            snapshot = Snapshot(select, namespace, before)
            if request.HasField("model_id"):
                model = model_by_id(snapshot, request.model_id)
            else:
                model = model_named(snapshot, request.name)
            history = ModelHistory(select, namespace, model.model_id, before)
            rows = history.entries(version, _place(token), size + 1)
            taken = pages.fitting([entry.ByteSize() for _, entry in rows], size)
            next_token = self._token(request, [before, *rows[taken - 1][0]]) if taken < len(rows) else ""
            entries = [entry for _, entry in rows[:taken]]
            return model_history_pb2.ListModelHistoryResponse(entries=entries, next_page_token=next_token)

        return await self._run_read(request, context, token, read)

    async def _search(
        self,
        request: registered_model_pb2.SearchRegisteredModelsRequest | model_version_pb2.SearchModelVersionsRequest,
        context: Context,
        token: list[Any],
        keys: Callable[[Snapshot], list[pages.Key]],
        read: Callable[[Snapshot, list[pages.Key]], tuple[Result, list[object]]],
    ) -> tuple[Result, str]:
        """A page, and the token of the next. One that another follows is as of a position, as are all behind it."""

        def page(select: Select, namespace: str, before: int | None) -> tuple[Result, str]:
            snapshot = Snapshot(select, namespace, before)
            answer, last = read(snapshot, keys(snapshot))
            if last and before is None:
                before = offsets_of(select(APPLIED)).get(Partition(CONTROL, 0), 0)
                snapshot = Snapshot(select, namespace, before)
                answer, last = read(snapshot, keys(snapshot))
            return answer, self._token(request, [before, *last]) if last else ""

        return await self._run_read(request, context, token, page)

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

    def _page(self, request: _Paged) -> tuple[int, list[Any]]:
        """Its size, and what its token holds: as of when, and behind which row; empty without one."""
        size = check_page_size(request.page_size, DEFAULT_PAGE, limits.PAGE_SIZE)
        return size, self._tokens.read(_purpose(request), request.page_token) if request.page_token else []

    def _token(self, request: _Paged, values: list[object]) -> str:
        return self._tokens.make(_purpose(request), values)


def _purpose(request: _Paged) -> str:
    """What a token is for: everything that is asked but the page."""
    asked = copy.deepcopy(request)
    asked.ClearField("page_size")
    asked.ClearField("page_token")
    asked.ClearField("at_least")
    asked.namespace = check_namespace(request.namespace)
    digest = hashlib.sha256(asked.SerializeToString(deterministic=True)).hexdigest()
    return f"{asked.DESCRIPTOR.name}:{digest}"


def _place(token: list[Any]) -> Place | None:
    if not token:
        return None
    ver, place = token[1:]
    return int(ver), int(place)


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
