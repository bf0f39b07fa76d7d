"""GetExperiment, ListExperiments and ListNamespaces."""

from __future__ import annotations

from fleetlog_core.auth.identity import READ, caller
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import experiment_pb2, query_pb2

from fleetlog_query.calls.base import QueryCalls
from fleetlog_query.experiments import one_of
from fleetlog_query.namespaces import namespaces
from fleetlog_query.search.paging import Page, check_contains
from fleetlog_query.sql.deleted_view import DeletedView


class ExperimentCalls(QueryCalls):
    """Experiments of a namespace, and namespaces."""

    async def GetExperiment(  # noqa: N802
        self, request: query_pb2.GetExperimentRequest, context: Context
    ) -> query_pb2.GetExperimentResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        await self._wait(request.at_least, context)
        past = await self._past(request, namespace, context)
        if past is not None:
            found = one_of(past, request.name if request.WhichOneof("which") == "name" else request.experiment_id)
        elif request.WhichOneof("which") == "name":
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
        found = await self._past(request, namespace, context)
        if found is None:
            found = await self._do(context, self._experiments.all, namespace)
        left = [one for one in found if [one.experiment_id] > page.after and view.shows(one.deleted)]
        experiments, token = page.cut(left, lambda one: [one.experiment_id])
        return query_pb2.ListExperimentsResponse(experiments=experiments, next_page_token=token)

    async def ListNamespaces(  # noqa: N802
        self, request: query_pb2.ListNamespacesRequest, context: Context
    ) -> query_pb2.ListNamespacesResponse:
        """See the proto."""
        check_contains(request.contains)
        page = Page.of(self._tokens, request, "")
        await self._wait(request.at_least, context)
        wanted, may = request.contains.casefold(), caller().may
        found = [
            name
            for name in await self._do(context, namespaces, self._warehouse)
            if READ in may(name) and wanted in name.casefold() and [name] > page.after
        ]
        names, token = page.cut(found, lambda name: [name])
        return query_pb2.ListNamespacesResponse(namespaces=names, next_page_token=token)

    async def _past(
        self,
        request: query_pb2.GetExperimentRequest | query_pb2.ListExperimentsRequest,
        namespace: str,
        context: Context,
    ) -> list[experiment_pb2.Experiment] | None:
        """Experiments as of then; None for now, also where a position says nothing of where experiments are decided."""
        as_of = await self._as_of(request, context)
        if as_of is None or as_of.control is None:
            return None
        return await self._do(context, self._experiments.past, namespace, as_of.control)
