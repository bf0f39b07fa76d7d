from __future__ import annotations

import threading

from fleetlog_core.readers import Demand, Readers
from fleetlog_ingest.materializer.loop.reader_waker import ReaderWaker


def test_whoever_begins_to_read_wakes_and_never_waits_for_it() -> None:
    readers = Readers(clock=lambda: 0.0)
    waker = ReaderWaker(readers)
    woken, held = threading.Semaphore(0), threading.Event()

    def wake() -> None:
        woken.release()
        assert held.wait(30)

    waker.start(wake)
    assert waker.demand() is Demand.NONE
    readers.looked()
    assert woken.acquire(timeout=30)
    # The first wake is under way still, and the reader goes on.
    with readers.waits():
        assert waker.demand() is Demand.AWAITED
    held.set()
    assert woken.acquire(timeout=30)
    waker.stop()
    waker.stop()


def test_without_readers_somebody_may_read_at_any_time() -> None:
    waker = ReaderWaker(None)
    waker.start(lambda: None)
    assert waker.demand() is Demand.READ
    waker.stop()
