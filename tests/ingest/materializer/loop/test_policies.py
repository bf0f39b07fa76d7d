from __future__ import annotations

import pytest
from fleetlog_core.readers import Demand
from fleetlog_ingest.materializer.loop.batching import BatchPolicy
from fleetlog_ingest.materializer.loop.dead_letters import DeadLetterRate, TooManyBad
from fleetlog_proto.v1 import event_pb2

from tests.ingest.materializer.builders import frame, metrics, record


def test_a_lone_write_goes_at_once_and_a_busy_log_makes_batches_grow() -> None:
    policy = BatchPolicy()
    assert policy.ready(1, 1, 0.0, idle=True)
    assert not policy.ready(0, 0, 9.0, idle=True)
    assert not policy.ready(99_999, 1, 0.5, idle=False)
    assert policy.ready(99_999, 1, 1.0, idle=False)
    assert policy.ready(policy.target_weight, 1, 0.0, idle=False)
    assert policy.ready(1, policy.target_bytes, 0.0, idle=False)


def test_a_pause_holds_small_batches_back_and_no_large_ones() -> None:
    policy = BatchPolicy()
    assert not policy.ready(1, 1, 9.0, idle=True, rests=True)
    assert policy.ready(policy.target_weight, 1, 0.0, idle=False, rests=True)
    assert policy.ready(1, policy.target_bytes, 0.0, idle=False, rests=True)


def test_small_batches_leave_half_of_the_time_to_others_and_never_rest_for_long() -> None:
    policy = BatchPolicy(max_rest_seconds=0.5)
    assert policy.rest(0.04, Demand.READ) == 0.04
    assert policy.rest(9.0, Demand.READ) == 0.5


def test_who_waits_ends_the_pause_and_while_nobody_reads_it_is_longer() -> None:
    policy = BatchPolicy(max_rest_seconds=0.5, unread_rest_seconds=2.0)
    assert policy.rest(9.0, Demand.AWAITED) == 0.0
    assert policy.rest(0.04, Demand.NONE) == 2.0
    assert BatchPolicy(unread_rest_seconds=0.0).rest(0.04, Demand.NONE) == 0.04, "never shorter than for readers"


def test_a_batch_never_exceeds_the_most_but_by_one_record() -> None:
    policy = BatchPolicy(target_weight=100, max_weight=120)
    small = record(frame(metrics(1, a=[(step, 1.0) for step in range(48)])), 0)
    big = record(frame(metrics(1, a=[(step, 1.0) for step in range(500)])), 1)
    assert policy.cut([small] * 10) == 2
    assert policy.cut([small, small, small]) == 2
    assert policy.cut([small, big]) == 1
    assert policy.cut([big, small]) == 1
    assert policy.cut([small]) == 1
    assert BatchPolicy(target_bytes=2 * len(small.record.value)).cut([small] * 10) == 2


def test_a_few_bad_records_pass_and_many_stop_it() -> None:
    rate = DeadLetterRate()
    rate.note(1, 1)
    for _ in range(20):
        rate.note(100, 1)
    rate.note(899, 0)
    with pytest.raises(TooManyBad, match="of the last"):
        rate.note(100, 50)


def test_the_first_thousand_records_do_not_stop_it() -> None:
    rate = DeadLetterRate()
    rate.note(500, 100)
    with pytest.raises(TooManyBad):
        rate.note(500, 0)


def test_a_batch_of_artifacts_ends_long_before_a_group_misses_its_member() -> None:
    event = event_pb2.Event(sequence=1, artifact_logged=event_pb2.ArtifactLogged(path="a.txt", content=b"x"))
    assert BatchPolicy().cut([record(frame(event), place) for place in range(1_000)]) <= 100
