"""What runs can be asked for: their keys, and the values of these."""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog.calls.base import Calls
from fleetlog.facets import KeyInfo, ValueCount, list_keys, list_values


class FacetCalls(Calls):
    """Keys and values of many runs."""

    def keys(
        self,
        filter: str = "",  # noqa: A002
        *,
        experiments: Sequence[str | int] = (),
        kind: str = "",
        contains: str = "",
        deleted: str = "active",
    ) -> list[KeyInfo]:
        """The metrics, params and tags that runs have, with counts and ranges; `kind` is one of these three words."""
        return list_keys(self._connection, self._scope(filter, experiments, deleted), kind, contains)

    def values(
        self,
        key: str,
        filter: str = "",  # noqa: A002
        *,
        experiments: Sequence[str | int] = (),
        contains: str = "",
        limit: int | None = 100,
        deleted: str = "active",
    ) -> list[ValueCount]:
        """The values of "params.model", "tags.team" or an attribute such as "user", the most frequent first."""
        return list_values(self._connection, self._scope(filter, experiments, deleted), key, contains, limit)
