from __future__ import annotations

from fleetlog_core.log.kafka.rebalances import Assigned, Lost, Membership, follow
from fleetlog_core.log.port import EVENTS, Partition

A, B, C = (Partition(EVENTS, number) for number in range(3))


def some(*partitions: Partition) -> frozenset[Partition]:
    return frozenset(partitions)


def test_the_first_assignment_is_all_new() -> None:
    assert follow(Membership(), [Assigned(some(A, B), 7)]) == (Membership(some(A, B), 7), some())


def test_what_the_next_generation_gives_again_stays() -> None:
    now, kept = follow(Membership(some(A, B), 7), [Assigned(some(B, C), 8)])
    assert now == Membership(some(B, C), 8)
    assert kept == some(B)


def test_a_generation_that_was_missed_may_have_been_anybodys() -> None:
    now, kept = follow(Membership(some(A), 7), [Assigned(some(A), 9)])
    assert now.partitions == some(A)
    assert kept == some()


def test_who_fell_out_keeps_nothing() -> None:
    assert follow(Membership(some(A), 7), [Lost()]) == (Membership(), some())
    now, kept = follow(Membership(some(A), 7), [Lost(), Assigned(some(A), 8)])
    assert now == Membership(some(A), 8)
    assert kept == some()


def test_one_that_went_and_came_back_between_two_polls_was_interrupted() -> None:
    _, kept = follow(Membership(some(A, B), 7), [Assigned(some(B), 8), Assigned(some(A, B), 9)])
    assert kept == some(B)
