from __future__ import annotations

from fleetlog_core.readers import AWAITED_SECONDS, LOOKED_SECONDS, Demand, Readers


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nobody_reads_at_first_and_a_read_is_expected_again_for_a_while() -> None:
    clock = Clock()
    readers = Readers(clock)
    assert readers.demand() is Demand.NONE
    readers.looked()
    assert readers.demand() is Demand.READ
    clock.now += LOOKED_SECONDS
    assert readers.demand() is Demand.NONE


def test_one_that_waits_is_urgent_until_it_has_waited_for_long() -> None:
    clock = Clock()
    readers = Readers(clock)
    with readers.waits():
        assert readers.demand() is Demand.AWAITED
        clock.now += AWAITED_SECONDS
        assert readers.demand() is Demand.READ
        with readers.waits():
            assert readers.demand() is Demand.AWAITED
        clock.now += 60
        assert readers.demand() is Demand.READ
    assert readers.demand() is Demand.NONE


def test_one_that_follows_reads_for_as_long_as_it_does() -> None:
    clock = Clock()
    readers = Readers(clock)
    with readers.follows():
        clock.now += 60
        assert readers.demand() is Demand.READ
    assert readers.demand() is Demand.NONE


def test_the_materializer_hears_when_the_demand_rises_and_of_nothing_else() -> None:
    clock = Clock()
    readers = Readers(clock)
    heard: list[Demand] = []
    readers.call_at_rise(lambda: heard.append(readers.demand()))
    readers.looked()
    readers.looked()
    with readers.follows(), readers.waits(), readers.waits():
        pass
    assert heard == [Demand.READ, Demand.AWAITED]
    clock.now += 60
    readers.looked()
    assert heard == [Demand.READ, Demand.AWAITED, Demand.READ]
