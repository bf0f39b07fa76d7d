"""A session of chDB whose answers are those of their own statements.

What a statement had answered when it failed (cancelled, out of time, too many rows) stays in the engine's session, and
is put before the next answer there. So a session is used again only when it answers as one in which nothing stayed.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from chdb.session import Session

from fleetlog_core.warehouse.port import WarehouseUnavailable

_KNOWN = "SELECT 1 AS known"
_ANSWER = b"\x01\x01\x05known\x05UInt8\x01"
"""Its answer in the format Native: one column, one row, name, type, value."""
TRIES = 3


class ChdbSession:
    """Used by one call at a time."""

    def __init__(self, path: str) -> None:
        self._session = Session(path)
        self._is_clean = True

    def query(self, sql: str, output: str = "CSV", params: Mapping[str, str] | None = None) -> Any:
        """The answer of a statement. RuntimeError: the engine says no; WarehouseUnavailable."""
        if not self._is_clean:
            self._clean()
        self._is_clean = False
        try:
            found = self._session.query(sql, output, params=params)
        except RuntimeError:
            # At once, as what stayed may be large. What hinders it now may be over when the session is used next.
            with suppress(RuntimeError, WarehouseUnavailable):
                self._clean()
            raise
        self._is_clean = True
        return found

    def _clean(self) -> None:
        for _ in range(TRIES):
            if self._session.query(_KNOWN, "Native").bytes() == _ANSWER:
                self._is_clean = True
                return
        raise WarehouseUnavailable(f"the engine gave {TRIES} answers that are not those of the statement")

    def close(self) -> None:
        """Nothing more is asked."""
        self._session.close()
