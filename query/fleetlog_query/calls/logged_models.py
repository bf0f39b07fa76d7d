"""LoggedModelQueryService: reads of logged models. They share with the reads of runs what all calls share."""

from __future__ import annotations

from fleetlog_core import limits
from fleetlog_core.errors import NotFound
from fleetlog_core.ids import parse_id
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import logged_model_pb2, logged_model_pb2_grpc

from fleetlog_query.calls.base import Parts, ReadCalls, check_count
from fleetlog_query.logged_models import LoggedModels, Search
from fleetlog_query.runs.response_size import checked
from fleetlog_query.search.token import check_page_size

DEFAULT_PAGE = 100


class LoggedModelCalls(ReadCalls, logged_model_pb2_grpc.LoggedModelQueryServiceServicer):
    """See protos/fleetlog/v1/logged_model.proto."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._models = LoggedModels(parts.warehouse)

    async def GetLoggedModel(  # noqa: N802
        self, request: logged_model_pb2.GetLoggedModelRequest, context: Context
    ) -> logged_model_pb2.GetLoggedModelResponse:
        """See the proto."""
        namespace, model_id = check_namespace(request.namespace), parse_id(request.model_id, "model_id")
        await self._wait(request.at_least, context)
        held = await self._held(request.tell_position)
        model = await self._do(context, self._models.read, namespace, model_id)
        if model is None and held is None:
            raise model_not_found(model_id)
        return checked(logged_model_pb2.GetLoggedModelResponse(model=model, position=held))

    async def SearchLoggedModels(  # noqa: N802
        self, request: logged_model_pb2.SearchLoggedModelsRequest, context: Context
    ) -> logged_model_pb2.SearchLoggedModelsResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        check_count("experiment_ids", len(request.experiment_ids), 0, limits.EXPERIMENTS_PER_SEARCH)
        run_id = parse_id(request.source_run_id, "source_run_id").hex() if request.source_run_id else ""
        size = check_page_size(request.page_size, DEFAULT_PAGE, limits.PAGE_SIZE)
        asked = sorted(set(request.experiment_ids))
        purpose = f"logged_models:{namespace}:{asked}:{run_id}:{request.deleted_view}"
        after = self._tokens.read(purpose, request.page_token) if request.page_token else None
        place = None if after is None else (int(after[0]), str(after[1]))
        await self._wait(request.at_least, context)
        if not asked:
            every = await self._do(context, self._experiments.all, namespace)
            asked = [one.experiment_id for one in every if not one.deleted]
        search = Search(namespace, asked, run_id, request.deleted_view)
        found = await self._do(context, self._models.page, search, place, size + 1)
        last = found[size - 1] if len(found) > size else None
        token = self._tokens.make(purpose, [last.create_time_millis, last.model_id]) if last is not None else ""
        return checked(logged_model_pb2.SearchLoggedModelsResponse(models=found[:size], next_page_token=token))


def model_not_found(model_id: bytes) -> NotFound:
    """NotFound LOGGED_MODEL_NOT_FOUND, for a model of another namespace too."""
    return NotFound("LOGGED_MODEL_NOT_FOUND", f"there is no logged model {model_id.hex()} in this namespace")
