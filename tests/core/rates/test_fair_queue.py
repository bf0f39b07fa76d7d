from __future__ import annotations

from fleetlog_core.rates.fair_queue import FairQueue
from hypothesis import given
from hypothesis import strategies as st


def test_who_has_least_under_way_is_next_and_the_work_of_one_client_keeps_its_order() -> None:
    queue = FairQueue[int](share=10)
    for number in range(4):
        queue.put("greedy", number)
    assert [queue.take(), queue.take()] == [("greedy", 0), ("greedy", 1)]
    queue.put("late", 7)
    queue.put("later", 8)
    assert [queue.take() for _ in range(5)] == [("late", 7), ("later", 8), ("greedy", 2), ("greedy", 3), None]


def test_one_client_has_no_more_than_its_share_and_goes_on_when_some_of_it_is_done() -> None:
    queue = FairQueue[int](share=2)
    for number in range(3):
        queue.put("a", number)
    assert [queue.take(), queue.take(), queue.take()] == [("a", 0), ("a", 1), None]
    queue.put("b", 9)
    assert (queue.take(), queue.take()) == (("b", 9), None)
    queue.done("a")
    assert (queue.take(), queue.take()) == (("a", 2), None)


def test_clients_with_as_much_under_way_take_turns() -> None:
    queue = FairQueue[int](share=1)
    for number in range(3):
        for client in "abc":
            queue.put(client, number)
    served = []
    while (taken := queue.take()) is not None:
        served.append(taken)
        queue.done(taken[0])
    assert served == [(client, number) for number in range(3) for client in "abc"]


@given(st.lists(st.sampled_from("abcd"), max_size=60), st.integers(1, 4), st.integers(1, 6))
def test_everything_that_waits_is_taken_once(clients: list[str], share: int, places: int) -> None:
    queue, taken, busy = FairQueue[int](share), list[int](), list[str]()
    for number, client in enumerate(clients):
        queue.put(client, number)
    while True:
        while len(busy) < places and (found := queue.take()) is not None:
            busy.append(found[0])
            taken.append(found[1])
        assert all(busy.count(client) <= share for client in busy)
        if not busy:
            break
        queue.done(busy.pop(0))
    assert sorted(taken) == list(range(len(clients)))
