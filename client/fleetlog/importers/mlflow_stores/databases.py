"""Databases that MLflow keeps a store in, read only: SQLite by Python's own module, PostgreSQL by pg8000.

What a database has is asked of it: versions of MLflow differ in tables and columns, and one that lacks some is read for
what it has.
"""

from __future__ import annotations

import importlib
import itertools
import re
import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlsplit

from fleetlog.importers.mlflow_stores.metric_pages import MANY, MetricColumns, MetricPages
from fleetlog.importers.mlflow_stores.sqlite_pages import UnusualPagesError
from fleetlog.importers.source import SourceError

ROWS_AT_ONCE = 10_000
"""Rows that are fetched together: with more of them they leave the processor's cache before they are read."""
_NAME = re.compile(r"[a-z_]+")
_POSTGRES = ("postgresql", "postgres")


class Database(Protocol):
    """A database. Rows are as they were at one moment for each statement, or for all of them."""

    name: str
    """What messages call it."""
    metric_order: str
    """What makes points of a run come in one order each time, of which what is written later is the end."""

    def columns(self, table: str) -> frozenset[str]:
        """Returns the names of a table's columns; none when there is no such table."""
        ...

    def rows(self, statement: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """Yields the rows of a statement with `?` for each value. SourceError: it can't be read."""
        ...

    def batches(self, statement: str, values: Sequence[object] = ()) -> Iterator[list[tuple[Any, ...]]]:
        """Yields rows, many at once; texts may be their bytes."""
        ...

    def metrics(self, statement: str, run_id: str) -> Iterator[list[tuple[Any, ...]] | MetricColumns]:
        """Yields rows of a run in the table of metrics, many at once, as `batches` does, or the same rows as columns.

        `statement`: that reads them by SQL.
        """
        ...


def open_database(place: str) -> Database:
    """Returns the database of a path, sqlite:/// or postgresql:// URI. SourceError."""
    scheme = place.partition(":")[0].partition("+")[0] if "://" in place else "sqlite"
    if scheme in _POSTGRES:
        return PostgresDatabase(place)
    if scheme != "sqlite":
        raise SourceError(f"{scheme}: there is no reader of such databases; give sqlite:/// or postgresql://")
    return SqliteDatabase(Path(place.removeprefix("sqlite:///") if "://" in place else place))


class SqliteDatabase:
    """A file of SQLite, which a server may be writing to: readers and writers of it wait for one another."""

    metric_order = ""
    """None: the index of a run's rows has them as they were written."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        if not path.is_file():
            raise SourceError(f"{path} is no file; give the database of MLflow, such as mlflow.db")
        self._columns: dict[str, frozenset[str]] = {}
        how = "mode=ro"
        try:
            self._connection = _connected(path, how)
        except sqlite3.Error as error:
            # A folder that can't be written to has no place for what readers tell one another. Without a log of changes
            # nobody is writing, either.
            if Path(f"{path}-wal").exists():
                raise SourceError(f"{path} can't be read: {error}; copy it with its -wal file, and give that") from None
            how = "immutable=1"
            try:
                self._connection = _connected(path, how)
            except sqlite3.Error:
                raise SourceError(f"{path} can't be read: {error}; give the database of MLflow") from None

        self._raw = _connected(path, how)
        self._raw.text_factory = bytes
        self._path = path
        self._pages: MetricPages | None = None

    def columns(self, table: str) -> frozenset[str]:
        """Returns the names of a table's columns."""
        if table not in self._columns:
            self._columns[table] = frozenset(row[1] for row in self.rows(f"PRAGMA table_info({_checked(table)})"))
        return self._columns[table]

    def rows(self, statement: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """Yields rows."""
        for batch in self._fetched(self._connection, statement, values):
            yield from batch

    def batches(self, statement: str, values: Sequence[object] = ()) -> Iterator[list[tuple[Any, ...]]]:
        """Yields rows, many at once, with the bytes of texts: to decode each takes longer than all else."""
        return self._fetched(self._raw, statement, values)

    def metrics(self, statement: str, run_id: str) -> Iterator[list[tuple[Any, ...]] | MetricColumns]:
        """Yields rows, or columns by the file's pages: the statement, open meanwhile, keeps others from writing."""
        with self._told(), closing(self._raw.execute(statement, [run_id])) as cursor:
            rows = cursor.fetchmany(MANY)
            if len(rows) == MANY:
                count = 0
                try:
                    if self._pages is None:
                        self._pages = MetricPages(self._path, self._raw)
                    for columns in self._pages.batches(run_id, ROWS_AT_ONCE):
                        yield columns
                        count += len(columns.codes)
                    return
                except UnusualPagesError:
                    if count:
                        rows = list(itertools.islice(cursor, count - MANY, count - MANY + ROWS_AT_ONCE))
                    else:
                        rows += cursor.fetchmany(ROWS_AT_ONCE - MANY)
            while rows:
                yield rows
                rows = cursor.fetchmany(ROWS_AT_ONCE)

    def _fetched(
        self, connection: sqlite3.Connection, statement: str, values: Sequence[object]
    ) -> Iterator[list[tuple[Any, ...]]]:
        with self._told():
            cursor = connection.execute(statement, tuple(values))
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                yield rows

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise SourceError(f"{self.name} can't be read: {error}") from None


class PostgresDatabase:
    """A database of PostgreSQL. Read in one transaction: as it was at one moment."""

    metric_order = " ORDER BY timestamp, step, key, value"

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        self.name = f"{parts.hostname or 'localhost'}:{parts.port or 5432}{parts.path}"
        self._columns: dict[str, frozenset[str]] = {}
        self._cursors = itertools.count()
        self._driver, self._connection = _postgres(uri)
        # Of a source nobody says that it is done with.
        weakref.finalize(self, self._connection.close)
        self._execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def columns(self, table: str) -> frozenset[str]:
        """Returns the names of a table's columns."""
        if table not in self._columns:
            statement = (
                "SELECT column_name FROM information_schema.columns"
                " WHERE table_name = ? AND table_schema = current_schema()"
            )
            self._columns[table] = frozenset(row[0] for row in self.rows(statement, [table]))
        return self._columns[table]

    def rows(self, statement: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """Yields rows."""
        for batch in self.batches(statement, values):
            yield from batch

    def batches(self, statement: str, values: Sequence[object] = ()) -> Iterator[list[tuple[Any, ...]]]:
        """Yields rows, many at once: by a cursor of the server, for the driver keeps all that it is sent."""
        name = f"fleetlog_{next(self._cursors)}"
        self._execute(f"DECLARE {name} NO SCROLL CURSOR FOR {statement}", values)
        while rows := self._execute(f"FETCH {ROWS_AT_ONCE} FROM {name}").fetchall():
            yield [tuple(row) for row in rows]
        self._execute(f"CLOSE {name}")

    def metrics(self, statement: str, run_id: str) -> Iterator[list[tuple[Any, ...]] | MetricColumns]:
        """Yields rows."""
        return self.batches(statement, [run_id])

    def _execute(self, statement: str, values: Sequence[object] = ()) -> Any:
        cursor = self._connection.cursor()
        try:
            cursor.execute(statement.replace("%", "%%").replace("?", "%s"), tuple(values))
        except self._driver.Error as error:
            raise SourceError(f"{self.name} can't be read: {error}") from None
        return cursor


def _connected(path: Path, how: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?{how}", uri=True, timeout=60)
    connection.text_factory = lambda text: text.decode(errors="backslashreplace")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return connection


def _postgres(uri: str) -> tuple[Any, Any]:
    """The driver, and a connection to the database."""
    parts = urlsplit(uri)
    try:
        driver: Any = importlib.import_module("pg8000.dbapi")
    except ImportError:
        raise SourceError("reading PostgreSQL needs pg8000: pip install 'fleetlog[import-postgres]'") from None
    try:
        connection = driver.connect(
            user=unquote(parts.username or ""), password=unquote(parts.password) if parts.password else None,
            host=parts.hostname or "localhost", port=parts.port or 5432, database=unquote(parts.path.lstrip("/")),
        )  # fmt: skip
    except (driver.Error, OSError) as error:
        host = f"{parts.hostname or 'localhost'}:{parts.port or 5432}"
        raise SourceError(f"PostgreSQL at {host} can't be read: {error}") from None
    return driver, connection


def _checked(table: str) -> str:
    """The name of a table, which no value can be bound for."""
    if not _NAME.fullmatch(table):
        raise ValueError(table)
    return table
