"""ListKeys and ListValues: requests into pages."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument
from fleetlog_proto.v1 import facets_pb2

from fleetlog_query.facets.keys import Homes, KeyFacet, Keys, page_of
from fleetlog_query.facets.values import Values, ValuesQuery, kind_of
from fleetlog_query.language.plan import plan_of
from fleetlog_query.search.token import PageTokens, check_page_size
from fleetlog_query.sql.scope import Scope

DEFAULT_PAGE = 100


class Facets:
    """Answers for the runs of a scope whose experiments are resolved."""

    def __init__(self, tokens: PageTokens, keys: Keys, values: Values, clock: Callable[[], float] = time.time) -> None:
        self._tokens = tokens
        self._keys = keys
        self._values = values
        self._clock = clock

    def close(self) -> None:
        """Let the threads go."""
        self._keys.close()

    def keys(
        self, request: facets_pb2.ListKeysRequest, scope: Scope, hidden: tuple[int, ...]
    ) -> facets_pb2.ListKeysResponse:
        """See the proto. `hidden`: the experiments that are left out when the request names none."""
        size = check_page_size(request.page_size, DEFAULT_PAGE, limits.PAGE_SIZE)
        _check_contains(request.contains)
        purpose = _purpose("keys", request, scope)
        last = self._tokens.read(purpose, request.page_token) if request.page_token else None
        plan = plan_of(request.scope.filter, self._clock() * 1000)
        found: list[KeyFacet] = []
        if plan is None:
            named = request.scope.experiment_ids or request.scope.experiment_names
            homes = Homes(scope.namespace, scope.experiments if named else hidden, bool(named))
            found = self._keys.all(homes, request.scope.deleted_view)
        elif scope.experiments:
            found = self._keys.matching(scope, plan, request.scope.deleted_view)
        after = None if last is None else (int(last[0]), str(last[1]))
        left = page_of(found, after, request.kind, request.contains)
        end = left[size - 1] if len(left) > size else None
        token = self._tokens.make(purpose, [end.kind, end.key]) if end is not None else ""
        return facets_pb2.ListKeysResponse(keys=[_message(one) for one in left[:size]], next_page_token=token)

    def values(self, request: facets_pb2.ListValuesRequest, scope: Scope) -> facets_pb2.ListValuesResponse:
        """See the proto."""
        size = check_page_size(request.page_size, DEFAULT_PAGE, limits.PAGE_SIZE)
        _check_contains(request.contains)
        kind, key = kind_of(request.kind, request.key)
        purpose = _purpose("values", request, scope)
        last = self._tokens.read(purpose, request.page_token) if request.page_token else None
        plan = plan_of(request.scope.filter, self._clock() * 1000)
        if not scope.experiments:
            return facets_pb2.ListValuesResponse()
        after = None if last is None else (int(last[0]), str(last[1]))
        query = ValuesQuery(scope, plan, request.scope.deleted_view, kind, key, request.contains, after, size)
        found = self._values.page(query)
        token = self._tokens.make(purpose, [found[size - 1].runs, found[size - 1].value]) if len(found) > size else ""
        return facets_pb2.ListValuesResponse(values=found[:size], next_page_token=token)


def _check_contains(text: str) -> None:
    """OVER_LIMIT for a text that is too long to be looked for in every key or value."""
    if len(text) > limits.FACET_TEXT_CHARACTERS:
        what = f"{len(text):,} characters, at most {limits.FACET_TEXT_CHARACTERS:,}"
        raise InvalidArgument.of_field("OVER_LIMIT", "contains", what)


def _message(facet: KeyFacet) -> facets_pb2.KeyFacet:
    return facets_pb2.KeyFacet(
        kind=facets_pb2.KeyKind.ValueType(facet.kind), key=facet.key, runs=facet.runs, numeric_runs=facet.numeric,
        min=facet.low, max=facet.high,
    )  # fmt: skip


def _purpose(what: str, request: facets_pb2.ListKeysRequest | facets_pb2.ListValuesRequest, scope: Scope) -> str:
    """What a token belongs to: everything of the request but the page and the position."""
    asked = type(request)()
    asked.MergeFrom(request)  # type: ignore[arg-type]
    asked.ClearField("page_token")
    asked.ClearField("page_size")
    asked.scope.ClearField("at_least")
    data = scope.namespace.encode() + b"\0" + asked.SerializeToString(deterministic=True)
    return f"{what}:{hashlib.sha256(data).hexdigest()}"
