"""Writers of runs: what came of each, and whether it is at work."""

from __future__ import annotations

from uuid import uuid4

import fleetlog
import pytest
from fleetlog._transport.connection import connection_to
from fleetlog_core.endings import ENDED, Endings, new_life
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2, writer_pb2
from fleetlog_query.writers import counted, state_of

SECONDS = 30.0


def test_the_highest_sequence_and_how_many_below_it_did_not_come() -> None:
    assert [counted(text) for text in ("", "1", "1-7", "1-3,5,9-10")] == [(0, 0), (1, 0), (7, 0), (10, 4)]


def test_a_writer_is_at_work_ended_lost_or_silent_as_its_run_tells() -> None:
    run = Endings(at_work=1, life=2)
    assert state_of(2, run) == writer_pb2.WRITER_STATE_AT_WORK
    assert state_of(ENDED, run) == writer_pb2.WRITER_STATE_ENDED
    assert state_of(2, run.lose(7)) == writer_pb2.WRITER_STATE_LOST
    assert state_of(2, new_life(7)) == writer_pb2.WRITER_STATE_SILENT
    assert state_of(0, run) == state_of(5, None) == writer_pb2.WRITER_STATE_UNSPECIFIED


def test_each_rank_is_told_with_what_came_of_it(embedded_target: str, experiment: str) -> None:
    client = fleetlog.Client(embedded_target)
    run = fleetlog.start_run(experiment, rank=0, target=embedded_target)
    other = fleetlog.start_run(experiment, run_id=run.id, rank=1, target=embedded_target)
    run.log({"loss": 1.0}, step=1)
    other.log({"loss": 2.0}, step=1)
    other.finish()
    run.flush()
    client.update_run(run.id, tags={"team": "a"})
    told = {one.rank: one for one in client.writers(run)}
    assert set(told) == {None, 0, 1}
    assert (told[0].state, told[1].state, told[None].state) == ("AT_WORK", "ENDED", None)
    for one in told.values():
        assert one.last_sequence >= 2
        assert one.missing_events == 0
        assert one.last_time is not None
        assert one.last_time >= client.get_run(run).start_time
    run.finish()
    assert {one.state for one in client.writers(run)} == {"ENDED", None}
    assert client.writers(run)[0].rank is None, "those without a rank are first"


def test_events_that_did_not_come_are_counted(embedded_target: str, experiment: str) -> None:
    client = fleetlog.Client(embedded_target)
    number, run_id, writer_id = client.create_experiment(experiment).id, uuid4().bytes, uuid4().bytes
    started = event_pb2.RunStarted(experiment_id=number, opening=event_pb2.RUN_OPENING_CREATE)
    for first in (1, 6):
        payload = {"run_started": started} if first == 1 else {"tags_set": event_pb2.TagsSet(tags={"a": "1"})}
        event = event_pb2.Event(sequence=first, **payload)
        frame = frame_pb2.Frame(namespace="default", run_id=run_id, writer_id=writer_id, rank=3, events=[event])
        requests = iter([ingest_pb2.AppendEventsRequest(frame=frame)])
        (answer,) = connection_to(embedded_target).ingest.AppendEvents(requests, timeout=SECONDS)
        assert answer.durable_sequence == first
        connection_to(embedded_target).saw(answer.position)
    (found,) = client.writers(run_id.hex())
    assert (found.id, found.rank, found.last_sequence, found.missing_events) == (writer_id.hex(), 3, 6, 4)


def test_pages_together_are_the_whole_and_a_run_that_is_not_there_is_told(
    embedded_target: str, experiment: str
) -> None:
    client, connection = fleetlog.Client(embedded_target), connection_to(embedded_target)
    with fleetlog.start_run(experiment, target=embedded_target) as run:
        run.log({"loss": 1.0})
    for place in range(5):
        client.update_run(run.id, tags={"turn": str(place)})
    whole = [one.id for one in client.writers(run)]
    assert len(whole) == 6
    request = writer_pb2.ListWritersRequest(run_id=run.id, page_size=2, at_least=connection.position())
    found: list[str] = []
    while True:
        page = connection.call(connection.query.ListWriters, request)
        found += [one.writer_id for one in page.writers]
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    assert found == whole
    with pytest.raises(fleetlog.NotFound):
        client.writers("0" * 32)
