"""Requests that have an outcome: which are asked for, and what is held of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from fleetlog_core.ids import new_random_id
from fleetlog_core.warehouse.port import Answer, Statement
from fleetlog_ingest.materializer.state.request_ids import MERGE_AT, Before, DecidedRequests, RequestIds

from tests.warehouses import Untouched

NONE = Before(frozenset(), is_begun=False)


def numbered(number: int) -> bytes:
    return number.to_bytes(16, "big")


class Outcomes(Untouched):
    """Has outcomes alone, and counts how often it is asked."""

    def __init__(self, offsets: Mapping[bytes, int]) -> None:
        self.offsets = dict(offsets)
        self.asked = 0

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        self.asked += 1
        ids = statement.binds.get("ids")
        found = {
            one: offset
            for one, offset in self.offsets.items()
            if not isinstance(ids, list) or one.hex() in ids
        }  # fmt: skip
        kept = list(found.items())[: int(str(statement.binds.get("most", len(found))))]
        columns = {
            "request_id": np.array([np.void(one) for one, _ in kept], "V16"),
            "off": np.array([offset for _, offset in kept], np.uint64),
        }
        return Answer(columns if kept else {}, len(kept), 0, 0)


def test_an_id_that_was_added_may_be_there_and_others_are_not() -> None:
    ids = [new_random_id() for _ in range(1_000)] + [numbered(number) for number in range(MERGE_AT)]
    held = RequestIds(ids[:500])
    held.add(ids[500:])
    assert len(held) == len(ids)
    assert all(map(held.may_have, ids))
    assert not any(held.may_have(numbered(number)) for number in range(MERGE_AT, 2 * MERGE_AT))


def test_new_requests_are_asked_for_once_a_namespace() -> None:
    warehouse = Outcomes({})
    requests = DecidedRequests(warehouse)
    for number in range(5):
        assert requests.before("ns", [numbered(number)], number) == NONE
        requests.keep("ns", [numbered(number)])
    assert warehouse.asked == 1


def test_a_request_that_was_decided_is_found_whether_it_was_held_or_read() -> None:
    warehouse = Outcomes({numbered(1): 5})
    requests = DecidedRequests(warehouse)
    assert requests.before("ns", [numbered(1), numbered(2)], 6) == Before(frozenset({numbered(1)}), is_begun=False)
    requests.keep("ns", [numbered(2)])
    warehouse.offsets[numbered(2)] = 6
    assert requests.before("ns", [numbered(2), numbered(3)], 7) == Before(frozenset({numbered(2)}), is_begun=False)


def test_outcomes_of_the_batch_itself_say_that_it_was_begun() -> None:
    requests = DecidedRequests(Outcomes({numbered(1): 5, numbered(2): 8}))
    assert requests.before("ns", [numbered(1), numbered(2)], 8) == Before(frozenset({numbered(1)}), is_begun=True)


def test_of_a_namespace_with_too_many_requests_it_is_asked_each_time() -> None:
    warehouse = Outcomes({numbered(number): number for number in range(4)})
    requests = DecidedRequests(warehouse, max_of_namespace=3)
    for offset in (4, 5):
        asked = warehouse.asked
        assert requests.before("ns", [numbered(2), numbered(9)], offset).decided == {numbered(2)}
        assert warehouse.asked > asked


def test_a_namespace_that_grows_beyond_what_is_held_is_asked_from_then_on() -> None:
    warehouse = Outcomes({})
    requests = DecidedRequests(warehouse, max_of_namespace=2)
    requests.before("ns", [numbered(1)], 0)
    requests.keep("ns", [numbered(number) for number in (1, 2, 3)])
    warehouse.offsets.update({numbered(number): number for number in (1, 2, 3)})
    assert requests.before("ns", [numbered(3), numbered(4)], 9).decided == {numbered(3)}


def test_namespaces_that_were_used_longest_ago_are_let_go() -> None:
    warehouse = Outcomes({})
    requests = DecidedRequests(warehouse, max_held=4)
    for namespace in ("one", "two", "three"):
        requests.before(namespace, [numbered(1)], 0)
        requests.keep(namespace, [numbered(1), numbered(2)])
    assert warehouse.asked == 3
    requests.before("three", [numbered(7)], 0)
    assert warehouse.asked == 3
    requests.before("one", [numbered(7)], 0)
    assert warehouse.asked == 4


def test_what_is_forgotten_is_asked_anew() -> None:
    warehouse = Outcomes({})
    requests = DecidedRequests(warehouse)
    requests.before("ns", [numbered(1)], 0)
    requests.forget()
    warehouse.offsets[numbered(1)] = 0
    assert requests.before("ns", [numbered(1)], 1).decided == {numbered(1)}
