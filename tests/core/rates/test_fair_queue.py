from __future__ import annotations

from fleetlog_core.rates.fair_queue import THERE_SECONDS, FairQueue
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.profiles import examples

GONE = THERE_SECONDS + 0.01


def test_who_has_least_under_way_is_next_and_the_work_of_one_client_keeps_its_order() -> None:
    queue = FairQueue[int](share=10)
    for number in range(4):
        queue.put("greedy", number, 0)
    assert [queue.take(0), queue.take(0)] == [("greedy", 0), ("greedy", 1)]
    queue.put("late", 7, 0)
    queue.put("later", 8, 0)
    assert [queue.take(0) for _ in range(5)] == [("late", 7), ("later", 8), ("greedy", 2), ("greedy", 3), None]


def test_one_client_has_no_more_than_its_share_and_goes_on_when_some_of_it_is_done() -> None:
    queue = FairQueue[int](share=2)
    for number in range(3):
        queue.put("a", number, 0)
    assert [queue.take(0), queue.take(0), queue.take(0)] == [("a", 0), ("a", 1), None]
    queue.put("b", 9, 0)
    assert (queue.take(0), queue.take(0)) == (("b", 9), None)
    queue.done("a", 0)
    assert (queue.take(0), queue.take(0)) == (("a", 2), None)


def test_clients_with_as_much_under_way_take_turns() -> None:
    queue = FairQueue[int](share=1)
    for number in range(3):
        for client in "abc":
            queue.put(client, number, 0)
    served = []
    while (taken := queue.take(0)) is not None:
        served.append(taken)
        queue.done(taken[0], 0)
    assert served == [(client, number) for number in range(3) for client in "abc"]


def test_a_client_by_itself_has_its_share_and_beside_others_its_part_of_the_places() -> None:
    queue = FairQueue[int](share=6, places=4)
    for number in range(20):
        queue.put("greedy", number, 0.0)
    assert [queue.take(0.0) is not None for _ in range(7)] == [True] * 6 + [False]
    queue.put("other", 0, 0.0)
    assert queue.share(0.0) == 2
    assert queue.take(0.0) == ("other", 0)
    # Two of the four places are for the other one, so none of the next goes to who has more than two.
    for _ in range(4):
        queue.done("greedy", 0.0)
        assert queue.take(0.0) is None
    queue.done("greedy", 0.0)
    assert queue.take(0.0) == ("greedy", 6)


def test_a_client_is_there_for_a_while_after_its_last_work_and_as_long_as_it_has_some() -> None:
    queue = FairQueue[int](share=6, places=2)
    queue.put("greedy", 0, 0.0)
    queue.put("other", 0, 0.0)
    assert (queue.take(0.0), queue.take(0.0)) == (("greedy", 0), ("other", 0))
    queue.put("greedy", 1, GONE)
    # It works still, however long.
    assert (queue.clients(GONE), queue.may_take(GONE)) == (2, False)
    queue.done("other", GONE)
    assert (queue.clients(2 * GONE - 0.02), queue.take(2 * GONE - 0.02)) == (2, None)
    assert (queue.clients(2 * GONE), queue.may_take(2 * GONE), queue.take(2 * GONE)) == (1, True, ("greedy", 1))


def test_each_of_more_clients_than_places_may_have_one_under_way() -> None:
    queue = FairQueue[int](share=6, places=2)
    for client in "abcde":
        queue.put(client, 0, 0.0)
        queue.put(client, 1, 0.0)
    assert [queue.take(0.0) for _ in range(6)] == [*((client, 0) for client in "abcde"), None]


@settings(max_examples=examples(200))
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 3)), max_size=60),
    st.integers(1, 4),
    st.integers(1, 6),
    st.none() | st.integers(1, 8),
)
def test_everything_that_waits_is_taken_once(
    asked: list[tuple[str, float]], share: int, threads: int, places: int | None
) -> None:
    queue, taken, busy, now = FairQueue[int](share, places), list[int](), list[str](), 0.0
    for number, (client, later) in enumerate(asked):
        now += later
        queue.put(client, number, now)
        while len(busy) < threads and (found := queue.take(now)) is not None:
            busy.append(found[0])
            taken.append(found[1])
            assert busy.count(found[0]) <= queue.share(now) <= share
        if len(busy) > 1:
            queue.done(busy.pop(0), now)
    while busy or queue.may_take(now):
        while len(busy) < threads and (found := queue.take(now)) is not None:
            busy.append(found[0])
            taken.append(found[1])
        queue.done(busy.pop(0), now)
    assert sorted(taken) == list(range(len(asked)))
