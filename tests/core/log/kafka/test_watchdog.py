from __future__ import annotations

from fleetlog_core.log.kafka.watchdog import Watchdog
from fleetlog_core.log.port import EVENTS, Partition

A, B = Partition(EVENTS, 0), Partition(EVENTS, 1)


def test_only_who_is_quiet_for_long_enough_is_due() -> None:
    dog = Watchdog(30)
    assert dog.quiet([A, B], now=100) == []
    dog.progressed(B, now=120)
    assert dog.quiet([A, B], now=129) == []
    assert dog.quiet([A, B], now=131) == [A]


def test_strikes_count_until_there_is_progress() -> None:
    dog = Watchdog(30)
    dog.quiet([A], now=0)
    assert dog.struck(A, now=30) == 1
    assert dog.quiet([A], now=59) == []
    assert dog.quiet([A], now=60) == [A]
    assert dog.struck(A, now=60) == 2
    dog.progressed(A, now=61)
    assert dog.struck(A, now=91) == 1


def test_a_partition_that_comes_back_begins_anew() -> None:
    dog = Watchdog(30)
    dog.quiet([A], now=0)
    dog.quiet([], now=10)
    assert dog.quiet([A], now=40) == []
