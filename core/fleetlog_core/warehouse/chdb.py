"""The warehouse in process: chDB, which is ClickHouse as a library.

One process may open a directory, and never after a fork: the lock file says who has it. Inserts are not fsynced one by
one: checkpoints.py tells at the next start what a power loss took, and the log makes it anew.
"""

from __future__ import annotations

import os
import queue
import re
import struct
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from fleetlog_core.holder import take
from fleetlog_core.threads import start_threads
from fleetlog_core.unavailable import shortage_of
from fleetlog_core.warehouse.chdb_priorities import config_file, put_inserts_back, put_merges_back
from fleetlog_core.warehouse.chdb_session import ChdbSession
from fleetlog_core.warehouse.directory import name_database
from fleetlog_core.warehouse.engine import (
    INSERT_ROWS,
    EngineError,
    encoding_error,
    insert_error,
    insert_settings,
    select_settings,
    statement_error,
)
from fleetlog_core.warehouse.native import NotReadHere, decode_blocks, encode_parts, rows_of
from fleetlog_core.warehouse.port import (
    Answer,
    Bind,
    Column,
    Statement,
    WarehouseRefused,
    WarehouseUnavailable,
)

READERS = 4
WRITERS = 2
"""A batch's tables are inserted in two lanes."""
SMALL_ROWS = 10_000
"""Maximum rows of an insert that comes after searches (chdb_priorities); one of more is of a load."""
_CODE = re.compile(r"Code: (\d+)")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0", "\b": "\\b", "\f": "\\f"})
_QUOTED = str.maketrans({"\\": "\\\\", "'": "\\'", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})


class _Sessions:
    """Pool of sessions, each used by one call at a time."""

    def __init__(self, path: Path, config: str, count: int) -> None:
        self._count = count
        self._idle: queue.LifoQueue[ChdbSession] = queue.LifoQueue()
        for _ in range(count):
            self._idle.put(ChdbSession(f"{path}?config-file={config}"))

    @contextmanager
    def one(self) -> Iterator[ChdbSession]:
        """One that nobody uses; waits for it."""
        session = self._idle.get()
        try:
            yield session
        finally:
            self._idle.put(session)

    def close(self) -> None:
        """When nobody uses them any more. They stay there, closed: who still waits finds that out."""
        sessions = [self._idle.get(timeout=60) for _ in range(self._count)]
        for session in sessions:
            session.close()
            self._idle.put(session)


class ChdbWarehouse:
    """See Warehouse. WarehouseUnavailable when another process has the directory."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._lock_file = take(path.parent / f"{path.name}.lock", "the warehouse", WarehouseUnavailable)
        self._pid = os.getpid()
        self._path = path
        with config_file() as config:
            self._readers = _Sessions(path, config, READERS)
            self._writers = _Sessions(path, config, WRITERS)
        self._behind = ThreadPoolExecutor(WRITERS, "small inserts", put_inserts_back)
        start_threads(self._behind, WRITERS)
        self._merges_are_back = sys.platform != "linux"
        self._counting = threading.Lock()
        self._types: dict[str, dict[str, str]] = {}
        self._inserts: Counter[str] = Counter()
        self._changes = 0
        self._closed = False

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        """See Warehouse."""
        sql = f"{statement.sql}\nSETTINGS {_listed(select_settings(statement, timeout_seconds))}"
        with self._readers.one() as session, _told(statement_error):
            self._check()
            result = session.query(sql, "Native", params=_params(statement.binds))
            columns, rows = decode_blocks(result.bytes())
            return Answer(columns, rows, result.storage_rows_read() or 0, result.storage_bytes_read() or 0)

    def insert(self, table: str, columns: Mapping[str, Column], token: str) -> None:
        """See Warehouse."""
        rows = rows_of(columns)
        if rows == 0:
            return
        if rows > INSERT_ROWS:
            raise WarehouseRefused(f"{rows:,} rows in one insert; at most {INSERT_ROWS:,}")
        if not all(_IDENTIFIER.fullmatch(name) for name in (table, *columns)):
            raise WarehouseRefused("not the name of a table or of columns")
        with _told(insert_error):
            self._check()
        if rows > SMALL_ROWS:
            self._insert(table, columns, token)
            return
        try:
            inserted = self._behind.submit(self._insert, table, columns, token)
        except RuntimeError as error:
            why = "the warehouse is closed" if self._closed else f"no thread for an insert: {error}"
            raise WarehouseUnavailable(why, shortage=shortage_of(error)) from None
        inserted.result()

    def _insert(self, table: str, columns: Mapping[str, Column], token: str) -> None:
        with _told(insert_error):
            try:
                block = encode_parts(columns, self._types_of(table))
            except (KeyError, ValueError) as error:
                # A table that is changed by then has other types.
                self._types.pop(table, None)
                raise encoding_error(error) from error
        # send_insert would be the natural call, but it says "done" when the rows were refused at the end: a
        # constraint, a full disk, too many parts. A statement that reads the block from a file tells.
        with self._writers.one() as session, _told(insert_error), _file_of(block) as path:
            self._check()
            try:
                session.query(
                    f"INSERT INTO {table} ({', '.join(columns)}) FROM INFILE {_literal(path)}"
                    f" SETTINGS {_listed(insert_settings(token))}, input_format_parallel_parsing = 0 FORMAT Native"
                )
            finally:
                with self._counting:
                    self._inserts[table] += 1

    def execute(self, statement: Statement) -> None:
        """See Warehouse."""
        with self._writers.one() as session, _told(statement_error):
            self._check()
            try:
                session.query(statement.sql, params=_params(statement.binds))
            finally:
                with self._counting:
                    self._changes += 1
            name_database(self._path)
        self._types.clear()

    def version(self, table: str) -> int | None:
        """See Warehouse: only this process writes here."""
        return self._inserts[table] + self._changes

    def close(self) -> None:
        """See Warehouse."""
        with self._counting:
            if self._closed:
                return
            self._closed = True
        self._writers.close()
        self._readers.close()
        self._behind.shutdown(wait=False)
        os.close(self._lock_file)

    def _check(self) -> None:
        if self._closed:
            raise WarehouseUnavailable("the warehouse is closed")
        if os.getpid() != self._pid:
            raise WarehouseUnavailable("chDB can't be used after a fork")
        if not self._merges_are_back:
            self._merges_are_back = put_merges_back()

    def _types_of(self, table: str) -> dict[str, str]:
        types = self._types.get(table)
        if types is None:
            answer = self.select(
                Statement(
                    "SELECT name, type FROM system.columns"
                    " WHERE database = currentDatabase() AND table = {name:String}",
                    {"name": table},
                )
            )
            types = dict(zip(answer.texts("name"), answer.texts("type"), strict=True))
            # Not read back: `execute` may clear what is remembered at any time.
            types = self._types[table] = {name: _stored_type(type_name) for name, type_name in types.items()}
        return types


def _stored_type(type_name: str) -> str:
    match = re.fullmatch(r"SimpleAggregateFunction\(\w+, (.+)\)", type_name)
    return match[1] if match else type_name


@contextmanager
def _told(error_of: Callable[[int, str], EngineError]) -> Iterator[None]:
    """Errors of the engine as errors of the port: those with a code as `error_of` has it."""
    try:
        yield
    except RuntimeError as error:
        match = _CODE.match(str(error))
        if match:
            raise error_of(int(match[1]), str(error)) from error
        raise WarehouseUnavailable(f"the engine failed: {error}", shortage=shortage_of(error)) from error
    except NotReadHere as error:
        raise WarehouseRefused(str(error)) from error
    except (OSError, MemoryError) as error:
        why = getattr(error, "strerror", None) or "no memory"
        raise WarehouseUnavailable(f"the warehouse can't be used: {why}", shortage=shortage_of(error)) from error
    except (ValueError, IndexError, struct.error) as error:
        raise WarehouseUnavailable(f"an answer of the engine can't be read: {error!r}") from error


@contextmanager
def _file_of(parts: Sequence[bytes]) -> Iterator[str]:
    """The path of a file with the bytes, in memory where the system can."""
    if sys.platform == "linux":
        with os.fdopen(os.memfd_create("insert"), "wb") as file:
            file.writelines(parts)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile() as scratch:
            scratch.writelines(parts)
            scratch.flush()
            yield scratch.name


def _listed(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {_literal(value)}" for name, value in settings.items())


def _params(binds: Mapping[str, Bind]) -> dict[str, str] | None:
    return {name: _bound(value) for name, value in binds.items()} or None


def _bound(value: Bind) -> str:
    """A bind as chDB parses it: texts as in TSV, arrays as in SQL."""
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    if isinstance(value, (int, float)):
        return repr(value)
    items = [_literal(item) if isinstance(item, str) else repr(item) for item in value]
    return f"[{','.join(items)}]"


def _literal(text: str) -> str:
    # Ids come by the thousand, and have nothing to be escaped.
    return f"'{text}'" if text.isalnum() else f"'{text.translate(_QUOTED)}'"
