from __future__ import annotations

import os

import pytest
from fleetlog_core.errors import FailedPrecondition
from fleetlog_core.log.partitions import partition_of
from fleetlog_ingest.gateway.branches import in_partition
from fleetlog_ingest.gateway.runs import RunStatus, WriterStatus, check_admitted
from fleetlog_proto.v1 import event_pb2, frame_pb2


def test_a_rewind_gets_an_id_of_its_sources_partition() -> None:
    for count in (1, 3, 64, 1_000):
        for _ in range(20):
            run_id = os.urandom(16)
            number = partition_of(os.urandom(16), count)
            found = in_partition(run_id, number, count)
            assert partition_of(found, count) == number
            assert found[:12] == run_id[:12]
            assert in_partition(run_id, number, count) == found, "asked again, it is the same"


def test_an_id_that_is_of_the_partition_stays() -> None:
    run_id = b"\xff" * 16
    assert in_partition(run_id, partition_of(run_id, 7), 7) == run_id
    assert len(in_partition(run_id, (partition_of(run_id, 7) + 1) % 7, 7)) == 16


def opening(how: event_pb2.RunOpening.ValueType) -> frame_pb2.Frame:
    started = event_pb2.RunStarted(opening=how)
    return frame_pb2.Frame(run_id=bytes(16), events=[event_pb2.Event(sequence=1, run_started=started)])


def test_a_run_that_was_rewound_takes_what_is_its_own_and_is_not_resumed() -> None:
    left = RunStatus(0, event_pb2.RUN_STATE_RUNNING, deleted=False, superseded=True)
    assert not left.is_open, "somebody has to look at who writes"
    for how in (event_pb2.RUN_OPENING_JOIN, event_pb2.RUN_OPENING_CREATE, event_pb2.RUN_OPENING_ANNOTATE):
        check_admitted(left, None, opening(how))
    resumed = opening(event_pb2.RUN_OPENING_RESUME)
    with pytest.raises(FailedPrecondition) as refused:
        check_admitted(left, None, resumed)
    assert refused.value.reason == "RUN_REWOUND"
    check_admitted(left, WriterStatus(((1, 7),), 0), resumed)
