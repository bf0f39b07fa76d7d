"""The event log in one SQLite file: the embedded engine.

One thread writes. It takes everything that waits, writes it in one transaction and resolves the futures after
the commit: with WAL and synchronous=FULL the commit returns when the disk has it, and a hundred writers share
one fsync. Records are keyed by partition << 48 | offset, the rowid itself, so there is no second index.

When a commit fails, all that waits fails with it. Its frames may be whole in the WAL all the same (an fsync that failed
says nothing of what the disk has), and SQLite brings such a transaction back when it opens the file the next time. So
the connection is opened anew and the next offsets are read from what is there, before anything else is written.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from fleetlog_core.holder import take
from fleetlog_core.log.groups import GroupMember, Groups
from fleetlog_core.log.partitions import partition_counts, partition_of
from fleetlog_core.log.port import BEHIND_FAILURE, CONTROL, Commit, LogUnavailable, Partition, Record, RecordTooLarge
from fleetlog_core.log.sqlite_file import SCHEMA, SqliteFile, unavailable

RECORD_BYTES = 64 * 1024 * 1024
COMMIT_BYTES = 16 * 1024 * 1024
"""A transaction takes no more than about this, so that the first in it need not wait for many."""
OFFSET_BITS = 48
PROBE_GROUP = "readiness"
"""A consumer group without members, whose commit is written to find out whether anything can be."""


@dataclass(frozen=True, slots=True)
class _Append:
    partition: Partition
    key: bytes
    value: bytes
    time_millis: int | None
    done: Future[Record]


class SqliteLog:
    """See EventLog. The file belongs to one process; another one is told who holds it."""

    def __init__(self, path: Path, partitions: Mapping[str, int] | None = None) -> None:
        self._lock_file = take(path.with_name(path.name + ".lock"), "the log", LogUnavailable)
        self._file = SqliteFile(path)
        self._groups = Groups()
        self._commit_lock = threading.Lock()
        writer = self._file.connection()
        writer.executescript(SCHEMA)
        stored: dict[str, int] = {}
        for (topic,) in writer.execute("SELECT topic FROM partitions"):
            stored[topic] = stored.get(topic, 0) + 1
        if stored and partitions is not None and dict(partition_counts(partitions)) != stored:
            raise ValueError(f"the log has {stored} partitions; that can't be changed to {dict(partitions)}")
        self._counts = partition_counts(stored or partitions)
        if not stored:
            with writer:
                writer.executemany(
                    "INSERT INTO partitions (topic, number) VALUES (?, ?)",
                    [(topic, number) for topic, count in sorted(self._counts.items()) for number in range(count)],
                )
        self._ids = {
            Partition(topic, number): int(id_)
            for id_, topic, number in writer.execute("SELECT id, topic, number FROM partitions")
        }
        self._next = {partition: self._stored_next(writer, partition) for partition in self._ids}
        self._pending: queue.SimpleQueue[_Append | None] = queue.SimpleQueue()
        self._state = threading.Lock()
        self._closed = False
        self._generation = 0
        self._thread = threading.Thread(target=self._write, name="log-writer", daemon=True)
        self._thread.start()

    def partitions(self, topic: str) -> int:
        """See EventLog."""
        return self._counts[topic]

    def generation(self) -> int:
        """See EventLog."""
        return self._generation

    def append(self, topic: str, key: bytes, value: bytes, *, generation: int | None = None) -> Future[Record]:
        """See EventLog."""
        partition = Partition(topic, partition_of(key, self._counts[topic]))
        return self._append(partition, key, value, None, generation)

    def append_copies(self, records: Sequence[Record]) -> list[Future[Record]]:
        """See CopyTarget."""
        generation = self._generation
        return [
            self._append(record.partition, record.key, record.value, record.time_millis, generation)
            for record in records
        ]

    def _append(
        self, partition: Partition, key: bytes, value: bytes, time_millis: int | None, generation: int | None
    ) -> Future[Record]:
        done: Future[Record] = Future()
        # Cancelled by its caller it could not be resolved, and the writer would die of that.
        done.set_running_or_notify_cancel()
        if len(value) > RECORD_BYTES:
            done.set_exception(RecordTooLarge(f"a record of {len(value):,} bytes; at most {RECORD_BYTES:,}"))
            return done
        with self._state:
            if self._closed:
                done.set_exception(LogUnavailable("the log is closed"))
                return done
            if generation is not None and generation != self._generation:
                done.set_exception(LogUnavailable(BEHIND_FAILURE))
                return done
            self._pending.put(_Append(partition, key, value, time_millis, done))
        return done

    def read(self, partition: Partition, offset: int, *, max_bytes: int) -> Sequence[Record]:
        """See EventLog."""
        first = self._ids[partition] << OFFSET_BITS
        if offset >= self._next[partition]:
            return ()
        found: list[Record] = []
        size = 0
        try:
            rows = self._file.connection().execute(
                "SELECT id, key, value, time_millis FROM records WHERE id >= ? AND id < ? ORDER BY id",
                (first + offset, first + self._next[partition]),
            )
            for id_, key, value, millis in rows:
                if found and size + len(value) > max_bytes:
                    break
                found.append(Record(partition, id_ - first, key, value, millis))
                size += len(value)
            rows.close()
        except (sqlite3.Error, MemoryError) as error:
            raise unavailable("read", error) from error
        return found

    def next_offset(self, partition: Partition) -> int:
        """See EventLog."""
        return self._next[partition]

    def check_writable(self) -> None:
        """See EventLog: commits what no group reads."""
        self.store_commit(PROBE_GROUP, Partition(CONTROL, 0), Commit(0))

    def consumer(self, group: str, topics: Sequence[str]) -> GroupMember:
        """See EventLog."""
        return self._groups.join(group, [p for p in self._ids if p.topic in topics], self)

    def load_commit(self, group: str, partition: Partition) -> Commit | None:
        """See GroupStore."""
        try:
            row = (
                self._file.connection()
                .execute(
                    "SELECT next_offset, metadata FROM commits WHERE consumer_group = ? AND partition_id = ?",
                    (group, self._ids[partition]),
                )
                .fetchone()
            )
        except sqlite3.Error as error:
            raise unavailable("read", error) from error
        return Commit(*row) if row else None

    def store_commit(self, group: str, partition: Partition, commit: Commit) -> None:
        """See GroupStore."""
        try:
            connection = self._file.connection()
            with self._commit_lock, connection:
                connection.execute(
                    "INSERT INTO commits VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
                    " SET next_offset = excluded.next_offset, metadata = excluded.metadata",
                    (group, self._ids[partition], commit.offset, commit.metadata),
                )
        except sqlite3.Error as error:
            # It may come back as the writer's does, so what is written next must not stand on what is known here.
            self._file.let_go()
            raise unavailable("written", error) from error

    def close(self) -> None:
        """See EventLog."""
        with self._state:
            if self._closed:
                return
            self._closed = True
            self._pending.put(None)
        self._thread.join()
        with contextlib.suppress(sqlite3.Error):
            # What it can't move into the file stays in the WAL, which is read with it.
            self._file.connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._file.let_go()
        os.close(self._lock_file)

    def _stored_next(self, connection: sqlite3.Connection, partition: Partition) -> int:
        first = self._ids[partition] << OFFSET_BITS
        row = connection.execute(
            "SELECT max(id) FROM records WHERE id >= ? AND id < ?", (first, first + (1 << OFFSET_BITS))
        ).fetchone()
        return 0 if row[0] is None else int(row[0]) - first + 1

    def _write(self) -> None:
        """The writer thread: all that waits, one transaction, one fsync."""
        ended = False
        while not ended:
            batch, ended = self._batch()
            if not batch:
                break
            try:
                records = self._commit(batch)
            except Exception as error:
                # Whatever it is: callers must hear of it, and the thread must go on.
                ended = self._fail(batch, error) or ended
                continue
            for item, record in zip(batch, records, strict=True):
                item.done.set_result(record)
        self._file.let_go()

    def _batch(self) -> tuple[list[_Append], bool]:
        """What waits, up to about COMMIT_BYTES; True: nothing comes after it."""
        item = self._pending.get()
        if item is None:
            return [], True
        batch, size = [item], len(item.value)
        while size < COMMIT_BYTES:
            try:
                more = self._pending.get_nowait()
            except queue.Empty:
                break
            if more is None:
                return batch, True
            batch.append(more)
            size += len(more.value)
        return batch, False

    def _commit(self, batch: Sequence[_Append]) -> list[Record]:
        connection = self._writer()
        upcoming = dict(self._next)
        now = time.time_ns() // 1_000_000
        rows, records = [], []
        for item in batch:
            offset = upcoming[item.partition]
            upcoming[item.partition] = offset + 1
            millis = now if item.time_millis is None else item.time_millis
            rows.append(((self._ids[item.partition] << OFFSET_BITS) + offset, item.key, item.value, millis))
            records.append(Record(item.partition, offset, item.key, item.value, millis))
        with self._commit_lock, connection:
            connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?)", rows)
        self._next = upcoming
        self._groups.notify()
        return records

    def _writer(self) -> sqlite3.Connection:
        """The writer thread's connection. One that is opened anew tells where each partition ends by now."""
        if self._file.is_open():
            return self._file.connection()
        connection = self._file.connection()
        try:
            found = {partition: self._stored_next(connection, partition) for partition in self._ids}
            for partition, before in self._next.items():
                if found[partition] < before:
                    raise LogUnavailable(f"{partition} ends at {found[partition]:,}; it had {before:,} records")
        except BaseException:
            self._file.let_go()
            raise
        self._next = found
        self._groups.notify()
        return connection

    def _fail(self, batch: Sequence[_Append], error: Exception) -> bool:
        """Whatever is open fails; True: nothing comes after it."""
        self._file.let_go()
        failed, ended = list(batch), False
        with self._state:
            self._generation += 1
            with contextlib.suppress(queue.Empty):
                while True:
                    item = self._pending.get_nowait()
                    if item is None:
                        ended = True
                    else:
                        failed.append(item)
        for item in failed:
            item.done.set_exception(unavailable("written", error))
        return ended
