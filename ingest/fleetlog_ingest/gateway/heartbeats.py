"""Heartbeats of writers, gathered: one record for each partition of the log and namespace, now and then.

A record for each heartbeat would be a batch of the materializer each. What is gathered and not in the log yet when the
gateway dies, its clients say again to the next one.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice

from fleetlog_core.errors import InvalidArgument
from fleetlog_core.ids import ID_BYTES, new_random_id
from fleetlog_core.log.partitions import partition_of
from fleetlog_core.log.port import EVENTS, EventLog
from fleetlog_core.rules.names import check_namespace
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2

from fleetlog_ingest.gateway.heartbeat_pace import HeartbeatPace

MOST_WRITERS = 10_000
"""Maximum of writers in a request; also in a record."""
Heard = tuple[bytes, bytes]
"""Run id, writer id."""


class Heartbeats:
    """Heartbeats that one gateway takes. Used from one event loop."""

    def __init__(self, log: EventLog, pace: HeartbeatPace | None = None) -> None:
        self._log = log
        self.pace = pace or HeartbeatPace()
        self._writer_id = new_random_id()
        self._heard: defaultdict[tuple[str, int], dict[Heard, None]] = defaultdict(dict)
        self._writing: asyncio.TimerHandle | None = None
        self._stopped = False

    def take(self, heartbeats: Sequence[ingest_pb2.Heartbeats]) -> None:
        """Gather those of a request, all or none. INVALID_ID, OVER_LIMIT, INVALID_NAMESPACE."""
        found = [(check_namespace(one.namespace), _writers(one)) for one in heartbeats]
        if (count := sum(len(writers) for _, writers in found)) > MOST_WRITERS:
            raise InvalidArgument.of_field(
                "OVER_LIMIT", "heartbeats", f"{count:,} writers, at most {MOST_WRITERS:,}; send several requests"
            )
        partitions = self._log.partitions(EVENTS)
        for namespace, writers in found:
            for writer in writers:
                self._heard[namespace, partition_of(writer[0], partitions)][writer] = None
        if self._heard and not self._stopped:
            self._write_within(self.pace.gather_seconds({namespace for namespace, _ in found}))

    def _write_within(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if self._writing is not None:
            if self._writing.when() <= loop.time() + seconds:
                return
            self._writing.cancel()
        self._writing = loop.call_later(seconds, self._write)

    def stop(self) -> None:
        """Write what is gathered, and nothing later."""
        self._stopped = True
        if self._writing is not None:
            self._writing.cancel()
        self._write()

    def _write(self) -> None:
        self._writing = None
        gathered, self._heard = self._heard, defaultdict(dict)
        for (namespace, _), writers in gathered.items():
            for some in _parts(writers):
                # Not waited for: who still lives says so again.
                self._log.append(EVENTS, some[0][0], self._record(namespace, some))

    def _record(self, namespace: str, writers: Sequence[Heard]) -> bytes:
        heard = event_pb2.WritersHeard(
            run_ids=b"".join(run_id for run_id, _ in writers),
            writer_ids=b"".join(writer_id for _, writer_id in writers),
        )
        now = time.time_ns() // 1_000_000
        event = event_pb2.Event(sequence=1, observe_time_millis=now, ignorable=True, writers_heard=heard)
        frame = frame_pb2.Frame(
            namespace=namespace, run_id=writers[0][0], writer_id=self._writer_id, ingest_time_millis=now, events=[event]
        )
        return frame.SerializeToString()


def _writers(heartbeats: ingest_pb2.Heartbeats) -> list[Heard]:
    runs, writers = heartbeats.run_ids, heartbeats.writer_ids
    if not runs or len(runs) % ID_BYTES or len(runs) != len(writers):
        raise InvalidArgument.of_field(
            "INVALID_ID",
            "heartbeats.run_ids",
            f"{len(runs):,} bytes, and {len(writers):,} of writer_ids; send the {ID_BYTES} of each id, as many of both",
        )
    places = range(0, len(runs), ID_BYTES)
    return [(runs[place : place + ID_BYTES], writers[place : place + ID_BYTES]) for place in places]


def _parts(writers: dict[Heard, None]) -> Iterator[list[Heard]]:
    rest = iter(writers)
    while some := list(islice(rest, MOST_WRITERS)):
        yield some
