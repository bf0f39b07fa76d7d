"""Records say who sent them, as the gateway knows, whatever the client said."""

from __future__ import annotations

from contextvars import copy_context

from fleetlog_core.auth.identity import Grant, Identity, set_caller
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import CONTROL, EVENTS, Partition
from fleetlog_ingest.gateway.caller_log import CallerLog
from fleetlog_ingest.gateway.screen import encoded, screen
from fleetlog_ingest.request_digests import digest_of_intent
from fleetlog_proto.v1 import event_pb2, frame_pb2

ANN = Identity("ann", (Grant.of("writer@vision"),), "ci")


def frame() -> frame_pb2.Frame:
    event = event_pb2.Event(sequence=2, tags_set=event_pb2.TagsSet(tags={"a": "b"}))
    forged = frame_pb2.Caller(principal="eve", token_name="root", gateway="x")
    return frame_pb2.Frame(run_id=bytes(range(16)), writer_id=bytes(16), events=[event], caller=forged)


def stored(log: MemoryLog, topic: str) -> bytes:
    (record,) = log.read(Partition(topic, 0), 0, max_bytes=1 << 20)
    return record.value


def test_a_frame_has_its_caller_and_nothing_of_what_the_client_said() -> None:
    log, taken = MemoryLog(), frame()
    screen(taken, 1_700_000_000_000)

    def call() -> None:
        set_caller(ANN)
        CallerLog(log, "gateway-1").append(EVENTS, taken.run_id, encoded(taken)).result(timeout=60)

    copy_context().run(call)
    kept = frame_pb2.Frame.FromString(stored(log, EVENTS))
    assert kept.caller == frame_pb2.Caller(principal="ann", token_name="ci", gateway="gateway-1")
    kept.ClearField("caller")
    assert kept == taken


def test_where_nobody_is_known_nothing_is_said_and_a_forged_name_is_dropped() -> None:
    log, taken = MemoryLog(), frame()
    screen(taken, 1_700_000_000_000)
    CallerLog(log, "gateway-1").append(EVENTS, taken.run_id, encoded(taken)).result(timeout=60)
    assert stored(log, EVENTS) == encoded(taken)
    assert not frame_pb2.Frame.FromString(stored(log, EVENTS)).HasField("caller")


def test_an_intent_has_its_caller_and_is_the_same_request_from_another_token() -> None:
    log = MemoryLog()
    intent = frame_pb2.ControlRecord(experiment_created=frame_pb2.ExperimentCreated(name="x"))

    def call() -> None:
        set_caller(ANN)
        CallerLog(log, "gateway-1").append(CONTROL, b"", intent.SerializeToString()).result(timeout=60)

    copy_context().run(call)
    kept = frame_pb2.ControlRecord.FromString(stored(log, CONTROL))
    assert kept.caller.principal == "ann"
    assert digest_of_intent(kept) == digest_of_intent(intent)
