"""Deliveries that are not over."""

from __future__ import annotations

from dataclasses import replace

from fleetlog_ingest.webhooks.deliveries import DEAD, DELIVERED, PENDING, Attempted, DeliveryKey
from fleetlog_ingest.webhooks.queue import (
    DAY_MILLIS,
    LONGEST_PAUSE_MILLIS,
    MAX_BODY_BYTES,
    MAX_WAITING,
    Delivery,
    DeliveryQueue,
    after_attempt,
)


def delivery(ver: int, webhook: int = 1, place: int = 0) -> Delivery:
    return Delivery(DeliveryKey(ver, place, webhook, "team"), "comment.created", b"{}", since=1_000)


def test_the_log_is_done_up_to_the_first_intent_that_is_not_over() -> None:
    queue = DeliveryQueue()
    first, second = delivery(3), delivery(5, webhook=2)
    queue.add([first, second], 9)
    assert queue.position == 3
    assert queue.take_due(1_000, 8) == [first, second]
    queue.settle(after_attempt(second, 200, "", 1_000))
    assert queue.position == 3
    queue.settle(after_attempt(first, 200, "", 1_000))
    assert (queue.position, len(queue)) == (9, 0)


def test_of_one_webhook_one_delivery_is_under_way() -> None:
    queue = DeliveryQueue()
    queue.add([delivery(3), delivery(4), delivery(5, webhook=2)], 6)
    assert [one.key.ver for one in queue.take_due(0, 8)] == [3, 5]
    assert queue.take_due(0, 8) == []
    queue.settle(after_attempt(delivery(3), 200, "", 0))
    assert [one.key.ver for one in queue.take_due(0, 8)] == [4]


def test_what_failed_is_due_later_and_lets_others_pass() -> None:
    queue = DeliveryQueue()
    queue.add([delivery(3), delivery(4)], 5)
    queue.take_due(1_000, 8)
    failed = after_attempt(delivery(3), 500, "the target answered 500", 1_000)
    queue.settle(failed)
    assert (failed.state, failed.next_time) == (PENDING, 2_000)
    assert [one.key.ver for one in queue.take_due(1_000, 8)] == [4]
    queue.settle(after_attempt(delivery(4), 200, "", 1_100))
    assert queue.next_due() == 2_000
    assert [one.attempts for one in queue.take_due(2_000, 8)] == [1]


def test_pauses_grow_to_an_hour_and_end_after_a_day() -> None:
    one, now, pauses = delivery(3), 1_000, []
    while (tried := after_attempt(one, 0, "away", now)).state == PENDING:
        pauses.append(tried.next_time - now)
        one, now = replace(one, attempts=tried.attempts), tried.next_time
    assert pauses[:4] == [1_000, 2_000, 4_000, 8_000]
    assert pauses[-1] == LONGEST_PAUSE_MILLIS
    assert tried.state == DEAD
    assert now - one.since >= DAY_MILLIS
    assert after_attempt(one, 200, "", now).state == DELIVERED


def test_what_another_member_has_by_now_counts_no_more() -> None:
    queue = DeliveryQueue()
    queue.add([delivery(3)], 4)
    queue.take_due(0, 8)
    queue.forget()
    queue.settle(after_attempt(delivery(3), 500, "away", 0))
    assert (len(queue), queue.position) == (0, 0)


def test_what_could_not_be_sent_is_due_still() -> None:
    queue = DeliveryQueue()
    queue.add([delivery(3)], 4)
    queue.give_back(queue.take_due(0, 8))
    assert len(queue.take_due(0, 8)) == 1


def test_a_target_that_is_away_for_long_holds_up_no_other_one() -> None:
    queue = DeliveryQueue()
    assert queue.add([delivery(ver) for ver in range(MAX_WAITING)], MAX_WAITING) == []
    over = queue.add([delivery(MAX_WAITING), delivery(MAX_WAITING, webhook=2)], MAX_WAITING + 1)
    assert [one.key.webhook_id for one in over] == [1]
    assert [one.key.webhook_id for one in queue.take_due(0, 8)] == [2]
    queue.settle(Attempted(over[0].key, over[0].event, DEAD, 0, 0, "too many", 0, 0))
    assert len(queue) == MAX_WAITING + 1


def test_bodies_beyond_what_is_kept_are_left_out_and_room_is_given_back() -> None:
    queue, large = DeliveryQueue(), b"x" * (MAX_BODY_BYTES // 2)
    waiting = [replace(delivery(ver, webhook=ver), body=large) for ver in range(3)]
    queue.add(waiting, 3)
    assert queue.body_bytes == MAX_BODY_BYTES
    kept = queue.take_due(1_000, 8)
    assert [one.body for one in kept] == [large, large, None]
    queue.settle(after_attempt(kept[0], 200, "", 1_000))
    queue.settle(after_attempt(kept[1], 500, "away", 1_000))
    queue.settle(after_attempt(kept[2], 500, "away", 1_000))
    assert queue.body_bytes == MAX_BODY_BYTES // 2
    queue.forget()
    assert queue.body_bytes == 0
