"""ListKeys, ListValues, DescribeKey, AggregateMetric and SelectRuns: what is asked of all runs of a scope together."""

from __future__ import annotations

import time

from fleetlog_core.position import to_proto
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import aggregate_pb2, facets_pb2, scope_pb2, selection_pb2

from fleetlog_query.aggregate.answer import Aggregates
from fleetlog_query.aggregate.question import question_of
from fleetlog_query.calls.base import QueryCalls, Services, check_experiments
from fleetlog_query.changes.moments import now_of, position_of
from fleetlog_query.facets.answer import Facets
from fleetlog_query.facets.distribution import Distributions
from fleetlog_query.facets.keys import Keys
from fleetlog_query.facets.values import Values
from fleetlog_query.language.plan import plan_of
from fleetlog_query.runs.response_size import checked
from fleetlog_query.selection.answer import Selector
from fleetlog_query.series.series import SeriesReader
from fleetlog_query.sql.scope import Scope


class ScopeCalls(QueryCalls):
    """Facets, the curves of groups and the selection."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        keys = Keys(services.warehouse, services.positions, services.changed_runs, services.keys_bytes)
        values = Values(services.warehouse, services.columns)
        self._facets = Facets(services.tokens, keys, values, Distributions(services.warehouse))
        series = SeriesReader(services.warehouse, services.positions, services.branches)
        self._aggregates = Aggregates(services.warehouse, series)
        self._selector = Selector(services.warehouse, services.documents, services.columns)

    def close(self) -> None:
        """Let the threads go."""
        # Those that ask go first: they wait for these.
        self._services.threads.shutdown()
        self._facets.close()
        super().close()

    async def ListKeys(  # noqa: N802
        self, request: facets_pb2.ListKeysRequest, context: Context
    ) -> facets_pb2.ListKeysResponse:
        """See the proto."""
        scope = await self._scoped(request.scope, context)
        hidden = await self._do(context, self._hidden_experiments, scope.namespace)
        return await self._do(context, self._facets.keys, request, scope, hidden)

    async def ListValues(  # noqa: N802
        self, request: facets_pb2.ListValuesRequest, context: Context
    ) -> facets_pb2.ListValuesResponse:
        """See the proto."""
        scope = await self._scoped(request.scope, context)
        return await self._do(context, self._facets.values, request, scope)

    async def DescribeKey(  # noqa: N802
        self, request: facets_pb2.DescribeKeyRequest, context: Context
    ) -> facets_pb2.DescribeKeyResponse:
        """See the proto."""
        scope = await self._scoped(request.scope, context)
        return await self._do(context, self._facets.description, request, scope)

    async def AggregateMetric(  # noqa: N802
        self, request: aggregate_pb2.AggregateMetricRequest, context: Context
    ) -> aggregate_pb2.AggregateMetricResponse:
        """See the proto."""
        question = question_of(request, check_namespace(request.scope.namespace))
        scope = await self._scoped(request.scope, context)
        if not scope.experiments:
            return aggregate_pb2.AggregateMetricResponse()
        now = now_of(request.scope.as_of) if request.scope.HasField("as_of") else None
        plan = plan_of(request.scope.filter, time.time() * 1000 if now is None else now)
        return checked(
            await self._do(context, self._aggregates.curves, question, scope, plan, request.scope.deleted_view)
        )

    async def SelectRuns(  # noqa: N802
        self, request: selection_pb2.SelectRunsRequest, context: Context
    ) -> selection_pb2.SelectRunsResponse:
        """See the proto."""
        scope = await self._scoped(request.scope, context)
        # Before anything is read: the answer holds that, and maybe more.
        position = to_proto(await self._applied.now()) if scope.as_of is None else position_of(scope.as_of)
        response = await self._do(context, self._selector.select, request, scope)
        response.position.CopyFrom(position)
        return checked(response)

    def _hidden_experiments(self, namespace: str) -> tuple[int, ...]:
        return tuple(sorted(e.experiment_id for e in self._experiments.all(namespace) if e.deleted))

    async def _scoped(self, scope: scope_pb2.RunScope, context: Context) -> Scope:
        """Scope that it looks at, once what it must hold is there."""
        namespace = check_namespace(scope.namespace)
        check_experiments("scope.", scope)
        await self._wait(scope.at_least, context)
        as_of = await self._as_of(scope, context)
        ids, names = scope.experiment_ids, scope.experiment_names
        experiments = await self._do(context, self._experiment_ids, namespace, ids, names, as_of)
        return Scope(namespace, experiments, as_of=as_of, branches=self._services.branches)
