"""GetExperiment, ListExperiments and ListNamespaces."""

from __future__ import annotations

from fleetlog_core.auth.identity import READ, caller
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import experiment_pb2, query_pb2

from fleetlog_query.activity import NONE, Activities, Activity, Ordered
from fleetlog_query.calls.base import QueryCalls, Services
from fleetlog_query.experiments import one_of
from fleetlog_query.namespaces import namespaces
from fleetlog_query.search.paging import Page, check_contains
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.deleted_view import DeletedView


class ExperimentCalls(QueryCalls):
    """Experiments of a namespace, and namespaces."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._activity = Activity(services.warehouse)

    async def GetExperiment(  # noqa: N802
        self, request: query_pb2.GetExperimentRequest, context: Context
    ) -> query_pb2.GetExperimentResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        await self._wait(request.at_least, context)
        past = await self._past(await self._as_of(request, context), namespace, context)
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
        check_contains(request.contains)
        page = Page.of(self._tokens, request, namespace)
        await self._wait(request.at_least, context)
        view, wanted = DeletedView.of(request.deleted_view), request.contains.casefold()
        as_of = await self._as_of(request, context)
        found = await self._past(as_of, namespace, context)
        if found is None:
            found = await self._do(context, self._experiments.all, namespace)
        shown = [one for one in found if view.shows(one.deleted) and wanted in one.name.casefold()]
        activities: Activities = {}
        if request.activity or request.order_by == query_pb2.EXPERIMENT_ORDER_LAST_START:
            numbers = [one.experiment_id for one in shown]
            activities = await self._do(context, self._activity.of, namespace, numbers, as_of)
        ordered = Ordered(request.order_by, activities)
        placed = sorted(((ordered.place(one.experiment_id, one.name), one) for one in shown), key=lambda one: one[0])
        left, token = page.cut([one for one in placed if one[0] > page.after], lambda one: one[0])
        response = query_pb2.ListExperimentsResponse(experiments=[one for _, one in left], next_page_token=token)
        if request.activity:
            response.activities.extend(activities.get(one.experiment_id, NONE) for _, one in left)
        return response

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
        self, as_of: AsOf | None, namespace: str, context: Context
    ) -> list[experiment_pb2.Experiment] | None:
        """Experiments as of then; None for now, also where a position says nothing of where experiments are decided."""
        if as_of is None or as_of.control is None:
            return None
        return await self._do(context, self._experiments.past, namespace, as_of.control)
