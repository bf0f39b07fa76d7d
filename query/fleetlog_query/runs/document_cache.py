"""Documents of runs that are kept by run: until something of the run changes, or until there is no more room.

A document is kept as it was asked for, by its read mask, so nothing has to be cut out of another one. What changed is
told by `changes`, a namespace at a time: each moment lets go of the runs that it is told of, and what was read
before a moment is not kept when that moment was told of its run.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from fleetlog_core.warehouse.port import TimedOut
from fleetlog_proto.v1 import run_pb2

from fleetlog_query.changes.changed_runs import ChangedRuns, WholeNamespace
from fleetlog_query.changes.feed import ChangeFeed
from fleetlog_query.changes.position import AppliedPositions
from fleetlog_query.warehouse.cancellable import seconds_left

MESSAGE_COPIES = 4
"""A message takes about this many times its encoded size."""
ENTRY_BYTES = 500
"""Bytes of an entry beside its message, about."""
NAMESPACES = 64
"""Maximum of namespaces of which anything is kept."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A document that nobody changes any more. `state`: what else it depends on than the run."""

    document: run_pb2.Run
    state: Hashable
    size_bytes: int


class _Feed:
    """Changes of a namespace. `lock` is held over `advance`, and while something is kept."""

    def __init__(self, namespace: str, positions: AppliedPositions, changed_runs: ChangedRuns) -> None:
        self.namespace = namespace
        self.changes = ChangeFeed(WholeNamespace(namespace), positions, changed_runs)
        self.lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Moment:
    """A generation of a feed: what is read behind it is of that moment or later."""

    feed: _Feed
    generation: int


class DocumentCache:
    """Documents by namespace, run and name, such as a read mask. Thread-safe.

    `held_bytes`: maximum of all together; one of 45 values takes about 6 KB.
    """

    def __init__(self, positions: AppliedPositions, changed_runs: ChangedRuns, held_bytes: int) -> None:
        self._positions = positions
        self._changed_runs = changed_runs
        self._held_bytes = held_bytes
        self._lock = threading.Lock()
        self._feeds: OrderedDict[str, _Feed] = OrderedDict()
        self._runs: OrderedDict[tuple[str, bytes], dict[Hashable, _Entry]] = OrderedDict()
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """Bytes of memory that it takes, about."""
        return self._size_bytes

    def moment(self, namespace: str) -> Moment:
        """Moment, as of which or later is what is found from now on. TimedOut."""
        feed = self._feed(namespace)
        if not feed.lock.acquire(timeout=seconds_left()):
            raise TimedOut("another read looks for what changed")
        try:
            before = feed.changes.generation
            feed.changes.advance()
            if feed.changes.generation != before:
                self._let_go(namespace, feed.changes.since(before))
            return Moment(feed, feed.changes.generation)
        finally:
            feed.lock.release()

    def found(
        self, moment: Moment, run_ids: Iterable[bytes], name: Hashable, state: Hashable = None
    ) -> dict[bytes, run_pb2.Run]:
        """Documents that are kept. Not to be changed by whoever gets them."""
        namespace = moment.feed.namespace
        found: dict[bytes, run_pb2.Run] = {}
        with self._lock:
            for run_id in run_ids:
                entry = self._runs.get((namespace, run_id), {}).get(name)
                if entry is not None and entry.state == state:
                    self._runs.move_to_end((namespace, run_id))
                    found[run_id] = entry.document
        return found

    def keep(
        self, moment: Moment, name: Hashable, documents: Mapping[bytes, run_pb2.Run], state: Hashable = None
    ) -> None:  # fmt: skip
        """Keep what was read behind the moment. Nobody may change the documents from now on."""
        with moment.feed.lock:
            changed = moment.feed.changes.since(moment.generation)
            if changed is None or self._feeds.get(moment.feed.namespace) is not moment.feed:
                return
            for run_id, document in documents.items():
                if run_id not in changed:
                    size = MESSAGE_COPIES * document.ByteSize() + ENTRY_BYTES
                    self._put((moment.feed.namespace, run_id), name, _Entry(document, state, size))

    def _feed(self, namespace: str) -> _Feed:
        with self._lock:
            feed = self._feeds.get(namespace)
            if feed is None:
                feed = self._feeds[namespace] = _Feed(namespace, self._positions, self._changed_runs)
            self._feeds.move_to_end(namespace)
            while len(self._feeds) > NAMESPACES:
                gone, _ = self._feeds.popitem(last=False)
                self._drop_all([run for run in self._runs if run[0] == gone])
            return feed

    def _put(self, run: tuple[str, bytes], name: Hashable, entry: _Entry) -> None:
        with self._lock:
            entries = self._runs.setdefault(run, {})
            self._runs.move_to_end(run)
            before = entries.get(name)
            entries[name] = entry
            self._size_bytes += entry.size_bytes - (0 if before is None else before.size_bytes)
            while self._size_bytes > self._held_bytes:
                self._drop_all([next(iter(self._runs))])

    def _let_go(self, namespace: str, changed: Iterable[bytes] | None) -> None:
        with self._lock:
            if changed is None:
                self._drop_all([run for run in self._runs if run[0] == namespace])
            else:
                self._drop_all([(namespace, run_id) for run_id in changed])

    def _drop_all(self, runs: Sequence[tuple[str, bytes]]) -> None:
        for run in runs:
            for entry in self._runs.pop(run, {}).values():
                self._size_bytes -= entry.size_bytes
