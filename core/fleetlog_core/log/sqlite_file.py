"""The file of the embedded log: a connection for each thread, and what its errors mean."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import threading
from pathlib import Path

from fleetlog_core.log.port import LogUnavailable
from fleetlog_core.unavailable import shortage_of, words_of_errno

SCHEMA = """
CREATE TABLE IF NOT EXISTS partitions (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, number INTEGER NOT NULL,
    UNIQUE (topic, number));
CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, key BLOB NOT NULL, value BLOB NOT NULL,
    time_millis INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS commits (consumer_group TEXT NOT NULL, partition_id INTEGER NOT NULL,
    next_offset INTEGER NOT NULL, metadata TEXT NOT NULL, PRIMARY KEY (consumer_group, partition_id));
"""


_SHORTAGES = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_NOMEM: errno.ENOMEM,
    sqlite3.SQLITE_READONLY: errno.EROFS,
}


class SqliteFile:
    """Connections to one SQLite file, one for each thread that asks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()

    def connection(self) -> sqlite3.Connection:
        """The calling thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            # Used by one thread; closed by whichever drops the last reference.
            connection = sqlite3.connect(self._path, timeout=30.0, check_same_thread=False)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA mmap_size = 268435456")
            except BaseException:
                connection.close()
                raise
            self._local.connection = connection
        return connection

    def is_open(self) -> bool:
        """True if the calling thread has a connection."""
        return getattr(self._local, "connection", None) is not None

    def let_go(self) -> None:
        """Close the calling thread's connection; the next use opens another one."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def unavailable(what: str, error: Exception) -> LogUnavailable:
    """The error of a file that can't be read or written (`what`), with the shortage behind it where there is one."""
    if isinstance(error, LogUnavailable):
        return error
    # The low byte is the kind; errors of the Python module itself have none.
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF if isinstance(error, sqlite3.Error) else 0
    shortage = words_of_errno(_SHORTAGES.get(kind, 0)) or shortage_of(error)
    return LogUnavailable(f"the log can't be {what}: {error or 'no memory'}", shortage=shortage)
