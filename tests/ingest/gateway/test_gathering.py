"""Heartbeats that a gateway gathers, and what of them the log gets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from fleetlog_core.errors import InvalidArgument
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import EVENTS, Partition
from fleetlog_ingest.gateway.heartbeat_pace import HeartbeatPace, gather_seconds, quiet_seconds
from fleetlog_ingest.gateway.heartbeats import MOST_WRITERS, Heartbeats
from fleetlog_ingest.materializer.fold.decoding import decode
from fleetlog_proto.v1 import ingest_pb2


class AtOnce(HeartbeatPace):
    """Nothing waits for anything."""

    def gather_seconds(self, namespaces: Iterable[str]) -> float:
        return 0.0


RUNS = [number.to_bytes(16, "big") for number in range(20)]


def told(*runs: bytes, namespace: str = "") -> ingest_pb2.Heartbeats:
    return ingest_pb2.Heartbeats(
        namespace=namespace, run_ids=b"".join(runs), writer_ids=b"".join(run[::-1] for run in runs)
    )


def heard(log: MemoryLog) -> list[tuple[str, list[tuple[bytes, bytes]]]]:
    """Namespace and writers of each record."""
    found = []
    for number in range(log.partitions(EVENTS)):
        for record in log.read(Partition(EVENTS, number), 0, max_bytes=1 << 30):
            decoded = decode(record)
            assert decoded.frame is not None
            assert record.key == decoded.frame.run_id
            assert decoded.frame.events[0].ignorable
            found.append((decoded.namespace, list(decoded.heard)))
    return found


def test_many_heartbeats_are_one_record_for_each_namespace_and_partition() -> None:
    log = MemoryLog({EVENTS: 2})

    async def gather() -> None:
        heartbeats = Heartbeats(log)
        for run in RUNS:
            heartbeats.take([told(run), told(run, namespace="other")])
            heartbeats.take([told(run)])
        assert heard(log) == []
        heartbeats.stop()

    asyncio.run(gather())
    records = heard(log)
    assert sorted(namespace for namespace, _ in records) == ["default", "default", "other", "other"]
    for namespace in ("default", "other"):
        writers = [writer for space, some in records for writer in some if space == namespace]
        assert sorted(writers) == [(run, run[::-1]) for run in RUNS]


def test_what_is_gathered_is_written_after_a_while_and_again_when_more_comes() -> None:
    log = MemoryLog()

    async def gather() -> None:
        heartbeats = Heartbeats(log, AtOnce())
        for number in range(2):
            heartbeats.take([told(RUNS[number])])
            written = asyncio.Event()
            asyncio.get_running_loop().call_later(0.0, written.set)
            await written.wait()
            assert len(heard(log)) == number + 1

    asyncio.run(gather())
    assert [writers[0][0] for _, writers in heard(log)] == RUNS[:2]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (ingest_pb2.Heartbeats(), "INVALID_ID"),
        (ingest_pb2.Heartbeats(run_ids=b"short", writer_ids=b"short"), "INVALID_ID"),
        (ingest_pb2.Heartbeats(run_ids=bytes(32), writer_ids=bytes(16)), "INVALID_ID"),
        (ingest_pb2.Heartbeats(namespace="No!", run_ids=bytes(16), writer_ids=bytes(16)), "INVALID_NAMESPACE"),
        (
            ingest_pb2.Heartbeats(run_ids=bytes(16 * MOST_WRITERS + 16), writer_ids=bytes(16 * MOST_WRITERS + 16)),
            "OVER_LIMIT",
        ),
    ],
)
def test_a_request_with_a_heartbeat_that_is_wrong_is_taken_not_at_all(
    wrong: ingest_pb2.Heartbeats, reason: str
) -> None:
    log = MemoryLog()

    async def gather() -> None:
        heartbeats = Heartbeats(log, AtOnce())
        with pytest.raises(InvalidArgument) as refused:
            heartbeats.take([told(RUNS[0]), wrong])
        assert refused.value.reason == reason
        heartbeats.stop()

    asyncio.run(gather())
    assert heard(log) == []


@pytest.mark.parametrize("lost_seconds", [1.0, 2.0, 30.0, 120.0, 300.0, 3_600.0, 2_592_000.0])
def test_a_heartbeat_and_the_one_after_it_are_in_the_log_before_a_run_is_lost(lost_seconds: float) -> None:
    assert max(2.0, lost_seconds) >= 2 * quiet_seconds(lost_seconds)
    if lost_seconds >= 6:
        assert 2 * quiet_seconds(lost_seconds) + gather_seconds(lost_seconds) < lost_seconds


def test_where_runs_are_never_lost_heartbeats_are_rare_and_the_strictest_namespace_counts() -> None:
    pace = HeartbeatPace(lambda namespace: {"never": 0.0, "soon": 30.0}.get(namespace, 300.0))
    assert (pace.quiet_seconds(["never"]), pace.quiet_seconds(["soon"])) == (100, 10)
    assert (pace.quiet_seconds(["never", "soon", "b"]), pace.quiet_seconds(["b"])) == (10, 100)
    assert (pace.gather_seconds(["never", "soon", "b"]), pace.gather_seconds(["b"])) == (1.5, 15.0)


def test_heartbeats_of_a_strict_namespace_take_with_them_what_waits() -> None:
    log = MemoryLog()

    class Strict(HeartbeatPace):
        def gather_seconds(self, namespaces: Iterable[str]) -> float:
            return 0.0 if "strict" in namespaces else 3_600.0

    async def gather() -> None:
        heartbeats = Heartbeats(log, Strict())
        heartbeats.take([told(RUNS[0])])
        heartbeats.take([told(RUNS[1], namespace="strict")])
        heartbeats.take([told(RUNS[2])])
        written = asyncio.Event()
        asyncio.get_running_loop().call_later(0.0, written.set)
        await written.wait()

    asyncio.run(gather())
    assert sorted(run for _, writers in heard(log) for run, _ in writers) == RUNS[:3]
