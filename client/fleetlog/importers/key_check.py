"""Keys of sources that can be keys here, each looked at once."""

from __future__ import annotations

from fleetlog_core.errors import InvalidArgument
from fleetlog_core.rules.names import check_key

REMEMBERED = 100_000
"""Maximum of keys that are remembered."""


class KeyCheck:
    """Says of keys of params, tags and metrics whether they can be."""

    def __init__(self) -> None:
        self._problems: dict[str, str] = {}

    def problem(self, key: str) -> str:
        """Returns why it can't be a key; "" when it can."""
        found = self._problems.get(key)
        if found is None:
            found = _problem(key)
            if len(self._problems) < REMEMBERED:
                self._problems[key] = found
        return found


def _problem(key: str) -> str:
    try:
        check_key(key, "key")
    except InvalidArgument as error:
        return error.violations[0].description
    return ""
