"""Records that can't be folded: each is set aside by itself, told and counted, and may come again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import fleetlog
import pytest
from fleetlog_core.ids import new_random_id
from fleetlog_core.log.port import DEAD_LETTERS, EVENTS
from fleetlog_core.warehouse.port import Statement
from fleetlog_ingest import replay
from fleetlog_proto.v1 import event_pb2, frame_pb2

from tests.deploy.cluster import cluster
from tests.deploy.processes import fleetlog as command
from tests.deploy.watching import ready, told
from tests.faults.fleet import Server
from tests.faults.oracle import dead_letters, records, settled
from tests.waiting import reached

UNKNOWN_FIELD = b"\x82\xfa\x01\x03new"
"""Field 4000, "new": of a version that is to come."""


def frame(run: bytes, *events: event_pb2.Event) -> bytes:
    return frame_pb2.Frame(run_id=run, writer_id=new_random_id(), events=events).SerializeToString()


def newer(sequence: int, *, ignorable: bool) -> event_pb2.Event:
    """An event of a kind that nobody knows yet."""
    event = event_pb2.Event(sequence=sequence, ignorable=ignorable)
    event.MergeFromString(UNKNOWN_FIELD)
    return event


def metrics(sequence: int, step: int) -> event_pb2.Event:
    column = event_pb2.MetricColumn(key="x", values=[float(step)])
    column.MergeFromString(UNKNOWN_FIELD)
    return event_pb2.Event(
        sequence=sequence, metrics_logged=event_pb2.MetricsLogged(step_deltas=[step], columns=[column])
    )


@pytest.mark.timeout(600)
def test_poison_is_set_aside_and_everything_else_goes_on(
    kafka_server: str, clickhouse_server: str, s3_server: str, tmp_path: Path
) -> None:
    with cluster(kafka_server, clickhouse_server, s3_server, tmp_path, 1) as own:
        folding, front = Server(own, ("materializer",)), Server(own, ("gateway", "query"))
        ready(front.up)
        log, live, reader = own.log(), own.warehouse(), fleetlog.Client(front.target)
        with fleetlog.start_run("poison", target=front.target) as run:
            marked = bytes.fromhex(run.id)
            poison = {
                "UNDECODABLE": b"\xff" * 40,
                "MALFORMED": frame(b"short", metrics(1, 0)),
                "UNKNOWN_EVENT": frame(marked, newer(1, ignorable=False), metrics(2, 1)),
            }
            run.log({"x": 0.0}, step=0)
            run.flush(60)
            for value in (*poison.values(), frame(marked, newer(1, ignorable=True), metrics(2, 2))):
                log.append(EVENTS, marked, value).result(30)
            run.log({"x": 3.0}, step=3)
        settled(log, live)
        # A known event beside an unknown one, one with a field of the future, and all behind them are there.
        assert reader.read_metric(run.id, "x").steps.tolist() == [0, 1, 2, 3]
        assert [problem.reason for problem in reader.get_run(run.id).problems] == ["UNKNOWN_EVENT"]
        letters = records(log, DEAD_LETTERS)
        at = {record.value: f"events-0@{record.offset}" for record in records(log, EVENTS)}
        assert {letter.key.decode(): letter.value for letter in letters} == {
            f"{at[value]} {reason}": value for reason, value in poison.items()
        }
        for reason in poison:
            assert told(folding.up)["fleetlog_dead_letters_total", reason] == 1
        fresh = own.fresh_warehouse()
        replay.rebuild(log, fresh, own.objects())
        report = replay.verify(log, live, fresh)
        assert report.same, report.differences

        # A row that ClickHouse itself refuses, until somebody mends the table.
        live.execute(Statement("ALTER TABLE points ADD CONSTRAINT tried CHECK value < 100"))
        with fleetlog.start_run("poison", target=front.target) as bad:
            for step in range(20):
                bad.log({"x": 666.0 if step in (7, 11) else float(step)}, step=step)
                bad.flush(60)
        settled(log, live)
        # Those that came in a frame with one of them wait with it.
        kept = reader.read_metric(bad.id, "x").steps.tolist()
        assert not {7, 11} & set(kept)
        refused = [letter for letter in dead_letters(log) if letter.endswith(" WAREHOUSE_REFUSED")]
        assert len(refused) == 2
        problems = Counter(problem.reason for problem in reader.get_run(bad.id).problems)
        # What comes behind them finds that they are missing, too: they are, until they are sent again.
        assert problems == {"WAREHOUSE_REFUSED": 2, "SEQUENCE_GAP": 2}
        assert len(kept) == 18
        live.execute(Statement("ALTER TABLE points DROP CONSTRAINT tried"))
        kafka = f"kafka://{kafka_server}/{own.kafka.prefix}"
        for _ in range(2):
            (ended,) = command(("log", "redrive", kafka))
            assert (ended.code, ended.err) == (0, "")
            # The two, and the one of a kind that is still unknown.
            assert ended.out.startswith("3 dead letters sent again; 2 can't be read")
            settled(log, live)
        series = reader.read_metric(bad.id, "x")
        assert series.steps.tolist() == list(range(20))
        assert [step for step, value in enumerate(series.values.tolist()) if value == 666.0] == [7, 11]
        reached(lambda: told(folding.up)["fleetlog_dead_letters_total", "UNKNOWN_EVENT"] == 3)
        assert reader.read_metric(run.id, "x").steps.tolist() == [0, 1, 2, 3]
