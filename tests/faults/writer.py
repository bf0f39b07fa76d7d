"""A training process: `python -m tests.faults.writer FOLDER TARGET RUN RANK`. It writes until FOLDER/stop is there.

Points go out in small lots, a few of them ahead of the acknowledgements; each is in the ledger before it is logged, and
again when `flush` says that it is durable. Beside that it reads its own run, which must have all of what was
acknowledged by then, and never less than it had before.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import fleetlog

from tests.faults.ledger import DURABLE, SENT, Entry, Ledger
from tests.faults.sizes import sized

KEY = "x"
EXPERIMENT = "faults"
STOP = "stop"
LOT = 10
LOTS_AHEAD = 4
PATIENCE_SECONDS = sized(180, 900)
"""Longer than anything is away on purpose."""


class Session:
    """One reader: what it saw it goes on seeing."""

    def __init__(self, target: str, run: str, rank: int) -> None:
        self._client = fleetlog.Client(target)
        self._run, self._rank = run, rank
        self._seen = 0

    def look(self, at_least: int) -> None:
        """Read the run: so many points of this rank or more, each once."""
        steps = [step for series in self._asked() for step in series.steps.tolist()]
        assert steps == list(range(len(steps))), "a point is missing or twice"
        assert len(steps) >= at_least, f"a read after {at_least} acknowledged points sees {len(steps)}"
        assert len(steps) >= self._seen, f"a read sees {len(steps)} points after one that saw {self._seen}"
        self._seen = len(steps)

    def _asked(self) -> list[fleetlog.Series]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._client.read_series([self._run], [KEY], ranks=[self._rank])
            except (fleetlog.Unavailable, fleetlog.DeadlineExceeded):
                # The server that it spoke to is gone, or nobody folds just now.
                assert time.monotonic() < deadline, "nobody answers"


class Acknowledged:
    """Waits for acknowledgements beside what writes, and notes them."""

    def __init__(self, run: fleetlog.Run, ledger: Ledger, look: Callable[[int], None]) -> None:
        self._run, self._ledger, self._look = run, ledger, look
        self._changed = threading.Condition()
        self._waiting: list[list[Entry]] = []
        self._ended = False
        # Reads are beside the rest: one that waits for its answer keeps nobody from writing.
        self._pool = ThreadPoolExecutor(2)
        self._looking: Future[None] = self._pool.submit(look, 0)
        self._working = self._pool.submit(self._work)
        # Who waits for it must see that it failed.
        self._working.add_done_callback(lambda _: self._wake())

    def add(self, lot: list[Entry]) -> None:
        """A lot that was logged. Waits while too many have no acknowledgement."""
        with self._changed:
            self._waiting.append(lot)
            self._changed.notify_all()
            self._changed.wait_for(lambda: len(self._waiting) < LOTS_AHEAD or self._working.done())
        if self._working.done():
            self._working.result()

    def end(self) -> None:
        """Wait for those of all."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._working.result()
        self._pool.shutdown()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _work(self) -> None:
        count = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                lots = list(self._waiting)
            if not lots:
                break
            self._run.flush(PATIENCE_SECONDS)
            for lot in lots:
                self._ledger.note(lot, DURABLE)
                count += len(lot)
            with self._changed:
                del self._waiting[: len(lots)]
                self._changed.notify_all()
            if self._looking.done():
                self._looking.result()
                self._looking = self._pool.submit(self._look, count)
        self._looking.result()
        self._look(count)


def main(folder: Path, target: str, run_id: str, rank: int) -> None:
    ledger, chance = Ledger(folder, run_id, rank), random.Random(rank)
    run = fleetlog.start_run(EXPERIMENT, run_id=run_id, rank=rank, target=target)
    acknowledged = Acknowledged(run, ledger, Session(target, run_id, rank).look)
    sequence = 0
    while not (folder / STOP).exists():
        lot = [Entry(run_id, rank, sequence + place, chance.random()) for place in range(LOT)]
        ledger.note(lot, SENT)
        for entry in lot:
            run.log({KEY: entry.value}, step=entry.sequence)
        sequence += LOT
        acknowledged.add(lot)
    acknowledged.end()
    run.finish(timeout=PATIENCE_SECONDS)
    ledger.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
