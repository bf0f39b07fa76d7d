"""GetExperiment and ListExperiments."""

from __future__ import annotations

from fleetlog_core.rules.names import check_namespace
from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import query_pb2

from fleetlog_query.calls.base import QueryCalls
from fleetlog_query.search.paging import Page
from fleetlog_query.sql.deleted_view import DeletedView


class ExperimentCalls(QueryCalls):
    """Experiments of a namespace."""

    async def GetExperiment(  # noqa: N802
        self, request: query_pb2.GetExperimentRequest, context: Context
    ) -> query_pb2.GetExperimentResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        await self._wait(request.at_least, context)
        if request.WhichOneof("which") == "name":
            found = await self._do(context, self._experiments.by_name, namespace, request.name)
        else:
            found = await self._do(context, self._experiments.by_number, namespace, request.experiment_id)
        return query_pb2.GetExperimentResponse(experiment=found)

    async def ListExperiments(  # noqa: N802
        self, request: query_pb2.ListExperimentsRequest, context: Context
    ) -> query_pb2.ListExperimentsResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        page = Page.of(self._tokens, request, namespace)
        await self._wait(request.at_least, context)
        view = DeletedView.of(request.deleted_view)
        found = await self._do(context, self._experiments.all, namespace)
        left = [one for one in found if [one.experiment_id] > page.after and view.shows(one.deleted)]
        experiments, token = page.cut(left, lambda one: [one.experiment_id])
        return query_pb2.ListExperimentsResponse(experiments=experiments, next_page_token=token)
