"""The client's log lines: whatever text of a user or a server is in one, a terminal obeys none of it."""

from __future__ import annotations

import logging

from fleetlog_core.printable import printable


def make_printable(record: logging.LogRecord) -> bool:
    """A filter of a logger that keeps every record, as one line without hidden characters."""
    try:
        text = record.getMessage()
    except (TypeError, ValueError):
        # Arguments that don't fit their message are for logging itself to tell.
        return True
    record.msg, record.args = printable(text), ()
    return True
