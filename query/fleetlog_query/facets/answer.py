"""ListKeys, ListValues and DescribeKey: requests into answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from fleetlog_proto.v1 import facets_pb2, scope_pb2

from fleetlog_query.changes.moments import now_of
from fleetlog_query.facets.distribution import Described, Distributions
from fleetlog_query.facets.keys import Homes, KeyFacet, Keys, page_of
from fleetlog_query.facets.values import Values, ValuesQuery, kind_of
from fleetlog_query.language.fields import Kind
from fleetlog_query.language.plan import Plan, plan_of
from fleetlog_query.search.paging import Page, check_contains
from fleetlog_query.search.token import PageTokens
from fleetlog_query.sql.scope import Scope

_KINDS: Mapping[Kind, facets_pb2.KeyKind.ValueType] = {
    "params": facets_pb2.KEY_KIND_PARAM,
    "tags": facets_pb2.KEY_KIND_TAG,
    "metrics": facets_pb2.KEY_KIND_METRIC,
}


class Facets:
    """Answers for the runs of a scope whose experiments are resolved."""

    def __init__(
        self,
        tokens: PageTokens,
        keys: Keys,
        values: Values,
        distributions: Distributions,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tokens = tokens
        self._keys = keys
        self._values = values
        self._distributions = distributions
        self._clock = clock

    def close(self) -> None:
        """Let the threads go."""
        self._keys.close()

    def keys(
        self, request: facets_pb2.ListKeysRequest, scope: Scope, hidden: tuple[int, ...]
    ) -> facets_pb2.ListKeysResponse:
        """See the proto. `hidden`: the experiments that are left out when the request names none."""
        page = _page(self._tokens, request, scope)
        plan = self._plan(request.scope)
        found: list[KeyFacet] = []
        if scope.as_of is not None:
            kinds = [kind for kind in _KINDS if request.kind in (facets_pb2.KEY_KIND_UNSPECIFIED, _KINDS[kind])]
            if scope.experiments and kinds:
                found = self._keys.past(scope, scope.as_of, plan, request.scope.deleted_view, kinds)
        elif plan is None:
            named = request.scope.experiment_ids or request.scope.experiment_names
            experiments = scope.experiments if named else hidden
            found = self._keys.all(Homes(scope.namespace, experiments, bool(named), request.scope.deleted_view))
        elif scope.experiments:
            found = self._keys.matching(scope, plan, request.scope.deleted_view)
        left = page_of(found, page.after, request.kind, request.contains)
        keys, token = page.cut(left, lambda one: [one.kind, one.key])
        return facets_pb2.ListKeysResponse(keys=map(_message, keys), next_page_token=token)

    def values(self, request: facets_pb2.ListValuesRequest, scope: Scope) -> facets_pb2.ListValuesResponse:
        """See the proto."""
        page = _page(self._tokens, request, scope)
        kind, key = kind_of(request.kind, request.key)
        plan = self._plan(request.scope)
        if not scope.experiments:
            return facets_pb2.ListValuesResponse()
        after = (page.after[0], page.after[1]) if page.after else None
        query = ValuesQuery(scope, plan, request.scope.deleted_view, kind, key, request.contains, after, page.size)
        values, token = page.cut(self._values.page(query), lambda one: [one.runs, one.value])
        return facets_pb2.ListValuesResponse(values=values, next_page_token=token)

    def description(self, request: facets_pb2.DescribeKeyRequest, scope: Scope) -> facets_pb2.DescribeKeyResponse:
        """See the proto."""
        described = Described.of(request, scope, self._plan(request.scope))
        return self._distributions.describe(described) if scope.experiments else facets_pb2.DescribeKeyResponse()

    def _plan(self, scope: scope_pb2.RunScope) -> Plan | None:
        now = now_of(scope.as_of) if scope.HasField("as_of") else None
        return plan_of(scope.filter, self._clock() * 1000 if now is None else now)


def _page(tokens: PageTokens, request: facets_pb2.ListKeysRequest | facets_pb2.ListValuesRequest, scope: Scope) -> Page:
    """OVER_LIMIT too, for a text that is too long to be looked for in every key or value."""
    check_contains(request.contains)
    return Page.of(tokens, request, scope.namespace)


def _message(facet: KeyFacet) -> facets_pb2.KeyFacet:
    return facets_pb2.KeyFacet(
        kind=facets_pb2.KeyKind.ValueType(facet.kind), key=facet.key, runs=facet.runs, numeric_runs=facet.numeric,
        min=facet.low, max=facet.high,
    )  # fmt: skip
