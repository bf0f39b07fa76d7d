"""What runs can be asked for: their keys, and the values of these."""

from __future__ import annotations

from typing import Literal

from fleetlog._calls.base import Calls, Deleted, Experiments
from fleetlog._values import arguments
from fleetlog._views.facets import KeyInfo, Kind, ValueCount, list_keys, list_values


class FacetCalls(Calls):
    """Keys and values of many runs."""

    def keys(
        self,
        filter: str = "",  # noqa: A002
        *,
        experiments: Experiments = None,
        kind: Kind | Literal[""] = "",
        contains: str = "",
        deleted: Deleted = "active",
    ) -> list[KeyInfo]:
        """The metrics, params and tags that runs have, with counts and ranges; `kind` is one of these three words."""
        scope = self._scope(filter, experiments, deleted)
        return list_keys(self._connection, scope, kind, arguments.one_text("contains", contains))

    def values(
        self,
        key: str,
        filter: str = "",  # noqa: A002
        *,
        experiments: Experiments = None,
        contains: str = "",
        limit: int | None = 100,
        deleted: Deleted = "active",
    ) -> list[ValueCount]:
        """The values of "params.model", "tags.team" or an attribute such as "user", the most frequent first."""
        most = arguments.maybe_count("limit", limit, 0)
        scope = self._scope(filter, experiments, deleted)
        key, contains = arguments.one_text("key", key), arguments.one_text("contains", contains)
        return list_values(self._connection, scope, key, contains, most)
