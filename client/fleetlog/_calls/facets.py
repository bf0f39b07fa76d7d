"""What runs can be asked for: their keys, and the values of these."""

from __future__ import annotations

from typing import Literal

from fleetlog._calls.base import Calls, Deleted, Experiments
from fleetlog._values import arguments
from fleetlog._values.as_of import AsOf
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
        as_of: AsOf | None = None,
    ) -> list[KeyInfo]:
        """Metrics, params and tags that runs have, with counts and ranges.

        Args:
            filter: Which runs are counted, see docs/filter.md; "" = all.
            experiments: Names, numbers or Experiments, or one of them; None = all.
            kind: "metrics", "params" or "tags"; "" = all three.
            contains: Only keys with this text in them, in upper or lower case.
            deleted: "active", "deleted" or "all" runs.
            as_of: When, as in search_runs; None = now.

        Returns:
            A list of KeyInfo by kind, then key.

        Raises:
            InvalidArgument: An argument can't be meant; of a filter the message points at the column.
            NotFound: There is no such experiment.

        Examples:
            >>> [key.name for key in client.keys(experiments="speedrun", kind="metrics")]
            ['metrics.train_loss', 'metrics.val_loss']

        """
        scope = self._scope(filter, experiments, deleted, as_of)
        return list_keys(self._connection, scope, kind, arguments.one_text("contains", contains), self.timeout)

    def values(
        self,
        key: str,
        filter: str = "",  # noqa: A002
        *,
        experiments: Experiments = None,
        contains: str = "",
        limit: int | None = 100,
        deleted: Deleted = "active",
        as_of: AsOf | None = None,
    ) -> list[ValueCount]:
        """Values of a param, tag or attribute, the most frequent first.

        Args:
            key: As filters name it: "params.model", "tags.team", "user".
            filter: Which runs are counted, see docs/filter.md; "" = all.
            experiments: Names, numbers or Experiments, or one of them; None = all.
            contains: Only values with this text in them, in upper or lower case.
            limit: Maximum of values; None = all.
            deleted: "active", "deleted" or "all" runs.
            as_of: When, as in search_runs; None = now.

        Returns:
            A list of ValueCount: the value as text, and how many runs have it.

        Raises:
            InvalidArgument: An argument can't be meant.
            NotFound: There is no such experiment.

        Examples:
            >>> client.values("tags.team", experiments="speedrun")
            [ValueCount(value='a', runs=1)]

        """
        most = arguments.maybe_count("limit", limit, 0)
        scope = self._scope(filter, experiments, deleted, as_of)
        key, contains = arguments.one_text("key", key), arguments.one_text("contains", contains)
        return list_values(self._connection, scope, key, contains, most, self.timeout)
