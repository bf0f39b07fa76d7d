"""LoggedModelQueryService: reads of logged models. They share with the reads of runs what all calls share."""

from __future__ import annotations

from fleetlog_core import limits
from fleetlog_core.errors import NotFound, check_count
from fleetlog_core.ids import parse_id
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import logged_model_pb2, logged_model_pb2_grpc

from fleetlog_query.calls.base import ReadCalls, Services
from fleetlog_query.logged_models import LoggedModels, Search
from fleetlog_query.runs.response_size import checked
from fleetlog_query.search.paging import Page


class LoggedModelCalls(ReadCalls, logged_model_pb2_grpc.LoggedModelQueryServiceServicer):
    """See protos/fleetlog/v1/logged_model.proto."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._models = LoggedModels(services.warehouse)

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
        page = Page.of(self._tokens, request, namespace)
        await self._wait(request.at_least, context)
        ids = await self._do(context, self._experiment_ids, namespace, request.experiment_ids)
        search = Search(namespace, ids, run_id, request.deleted_view)
        found = await self._do(context, self._models.page, search, page.after, page.size + 1)
        models, token = page.cut(found, lambda model: [model.create_time_millis, model.model_id])
        return checked(logged_model_pb2.SearchLoggedModelsResponse(models=models, next_page_token=token))


def model_not_found(model_id: bytes) -> NotFound:
    """NotFound LOGGED_MODEL_NOT_FOUND, for a model of another namespace too."""
    return NotFound("LOGGED_MODEL_NOT_FOUND", f"there is no logged model {model_id.hex()} in this namespace")
