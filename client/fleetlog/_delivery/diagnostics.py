"""The client's log lines: whatever text of a user or a server is in one, a terminal obeys none of it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from fleetlog_core.printable import printable

diagnostics = logging.getLogger("fleetlog")
WARNING_SECONDS = 60.0
"""Time from a warning to the next one of its kind."""
MAX_KINDS = 100
"""Maximum of kinds that are warned about in that time; of all others one line says that they are there."""
_OTHERS = "others"


def make_printable(record: logging.LogRecord) -> bool:
    """A filter of a logger that keeps every record, as one line without hidden characters."""
    try:
        text = record.getMessage()
    except (TypeError, ValueError):
        # Arguments that don't fit their message are for logging itself to tell.
        return True
    record.msg, record.args = printable(text), ()
    return True


diagnostics.addFilter(make_printable)


class Warnings:
    """Warnings of one delivery, each kind once a minute. Kinds may be a server's reasons or a user's names.

    So they are bounded, in memory and in lines.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._last: dict[str, float] = {}
        """Time of the last warning of each kind, the oldest first."""
        # Reentrant: a signal may end the process amid a warning, and warn.
        self._lock = threading.RLock()

    def warn(self, kind: str, text: str) -> None:
        """Warn, unless the kind was warned about a moment ago."""
        with self._lock:
            if not self._is_due(kind):
                return
            if len(self._last) >= MAX_KINDS and kind not in self._last:
                if not self._is_due(_OTHERS):
                    return
                kind, text = _OTHERS, f"there are more than {MAX_KINDS} kinds of warnings: not all are shown"
            self._last.pop(kind, None)
            self._last[kind] = self._now()
        diagnostics.warning("%s", text)

    def _is_due(self, kind: str) -> bool:
        over = self._now() - WARNING_SECONDS
        if self._last.get(kind, over) > over:
            return False
        for old in list(self._last):
            if self._last[old] > over:
                break
            del self._last[old]
        return True


def pending_words(points: int, files: Sequence[str]) -> str:
    """What is not durable yet, in words; "" when that is nothing."""
    parts = [f"{points:,} points"] if points else []
    if files:
        named = ", ".join(files[:3]) + (", …" if len(files) > 3 else "")
        parts.append(f"{len(files):,} {'file' if len(files) == 1 else 'files'} ({named})")
    return " and ".join(parts)
