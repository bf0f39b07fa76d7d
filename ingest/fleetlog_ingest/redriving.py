"""Dead letters, sent again: to code or a warehouse that takes them by now.

The event that a dead letter speaks of has its sequence open still; what else was in its record is known and passed
over. So the record goes into the log once more, behind everything else, and done twice it changes nothing. What was
written since stands before it there: a tag that was set again meanwhile becomes what the dead letter says.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from hashlib import sha256

from fleetlog_core.log.appender import Appender
from fleetlog_core.log.port import DEAD_LETTERS, EVENTS, EventLog, Partition, Record

from fleetlog_ingest.materializer.fold.decoding import decode

READ_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Redriven:
    """What became of the dead letters."""

    records: int
    """Sent again."""
    unreadable: int
    """No frames, as far as this version can tell: left where they are."""


def redrive(log: EventLog) -> Redriven:
    """Append every dead letter of the topic `events` again, each once, in their order; durable when it returns.

    LogUnavailable, RecordsGone: some may be in, and it can be done again.
    """
    seen: set[bytes] = set()
    unreadable = 0
    sent: list[Future[Record]] = []
    appender = Appender(log)
    for number in range(log.partitions(DEAD_LETTERS)):
        place = Partition(DEAD_LETTERS, number)
        offset, end = 0, log.next_offset(place)
        while offset < end and (records := log.read(place, offset, max_bytes=READ_BYTES)):
            for record in records:
                digest = sha256(record.value).digest()
                if digest in seen:
                    continue
                seen.add(digest)
                # Its own place in the log is in its key; what it was there decides how it is read.
                letter = decode(Record(Partition(EVENTS, 0), record.offset, b"", record.value, record.time_millis))
                if letter.frame is None or not record.key.startswith(f"{EVENTS}-".encode()):
                    unreadable += 1
                else:
                    sent.append(appender.append(EVENTS, letter.frame.run_id, record.value))
            for future in sent:
                future.result()
            offset = records[-1].offset + 1
    return Redriven(len(sent), unreadable)
