"""Records that can't be applied: told in the log's own topic, and never more than a few."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import TimeoutError as FutureTimeout

from fleetlog_core.log.port import DEAD_LETTERS, EventLog, LogUnavailable

from fleetlog_ingest.materializer.fold.result import DeadLetter

WINDOW = 1_000
"""Records over which the share of bad ones is taken, at least."""
MOST_BAD_PERCENT = 1


class TooManyBad(Exception):
    """More than 1 % of the last records are bad: something is wrong with the code or the log, not with records."""


class DeadLetterRate:
    """The share of bad records among the last 1,000 or a little more."""

    def __init__(self) -> None:
        self._batches: deque[tuple[int, int]] = deque()
        self._records = 0
        self._bad = 0

    def note(self, records: int, bad: int) -> None:
        """Count a batch. TooManyBad when that makes too many."""
        self._batches.append((records, bad))
        self._records += records
        self._bad += bad
        while self._records - self._batches[0][0] >= WINDOW:
            dropped = self._batches.popleft()
            self._records -= dropped[0]
            self._bad -= dropped[1]
        if self._records >= WINDOW and self._bad * 100 > self._records * MOST_BAD_PERCENT:
            raise TooManyBad(
                f"{self._bad} of the last {self._records} records can't be applied; the materializer stops rather"
                " than drop them all. Look at the topic dead-letters and at the versions that write"
            )


def write_dead_letters(log: EventLog, dead: Sequence[DeadLetter], timeout_seconds: float = 30.0) -> None:
    """Put the records' bytes into the topic of dead letters, durably.

    The key is "<topic>-<partition>@<offset> <reason>". A batch that is done again writes them again: the key tells.
    """
    futures = [
        log.append(
            DEAD_LETTERS,
            f"{letter.record.partition}@{letter.record.offset} {letter.reason}".encode(),
            letter.record.value,
        )
        for letter in dead
    ]
    for future in futures:
        try:
            future.result(timeout_seconds)
        except FutureTimeout as error:
            raise LogUnavailable("dead letters were not durable in time") from error
