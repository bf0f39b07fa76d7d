"""Logged models over gRPC: made, changed, found, with files and metrics; what is refused; and nobody else's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fleetlog
import pytest
from fleetlog._transport.connection import Connection, connection_to
from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import (
    artifact_pb2,
    event_pb2,
    frame_pb2,
    ingest_pb2,
    logged_model_event_pb2,
    logged_model_pb2,
    query_pb2,
    scope_pb2,
)

from tests.end_to_end.refusals import SECONDS, refused
from tests.servers import unique

READY = logged_model_event_pb2.LOGGED_MODEL_STATUS_READY
PENDING = logged_model_event_pb2.LOGGED_MODEL_STATUS_PENDING


@dataclass
class Place:
    """A namespace of the test's own."""

    connection: Connection
    namespace: str

    def create(self, **fields: Any) -> str:
        """Returns the id of a new model."""
        model_id = new_random_id().hex()
        given = {"name": "gpt2", "request_id": new_random_id(), "model_id": model_id, **fields}
        request = logged_model_pb2.CreateLoggedModelRequest(namespace=self.namespace, **given)
        self.connection.saw(self.connection.models.CreateLoggedModel(request, timeout=SECONDS).position)
        return request.model_id

    def update(self, model_id: str, **fields: Any) -> None:
        request = logged_model_pb2.UpdateLoggedModelRequest(
            namespace=self.namespace,
            model_id=model_id,
            at_least=self.connection.position(),
            **fields,
        )
        self.connection.saw(self.connection.models.UpdateLoggedModel(request, timeout=SECONDS).position)

    def get(self, model_id: str) -> logged_model_pb2.LoggedModel:
        request = logged_model_pb2.GetLoggedModelRequest(
            namespace=self.namespace, model_id=model_id, at_least=self.connection.position()
        )
        return self.connection.models_query.GetLoggedModel(request, timeout=SECONDS).model

    def search(self, **fields: Any) -> logged_model_pb2.SearchLoggedModelsResponse:
        request = logged_model_pb2.SearchLoggedModelsRequest(
            namespace=self.namespace,
            at_least=self.connection.position(),
            **fields,
        )
        return self.connection.models_query.SearchLoggedModels(request, timeout=SECONDS)

    def append(self, frame: frame_pb2.Frame) -> ingest_pb2.AppendEventsResponse:
        requests = iter([ingest_pb2.AppendEventsRequest(frame=frame)])
        (answer,) = self.connection.ingest.AppendEvents(requests, timeout=SECONDS)
        self.connection.saw(answer.position)
        return answer


@pytest.fixture
def place(embedded_target: str) -> Place:
    return Place(connection_to(embedded_target), unique("models"))


def test_a_model_is_made_changed_and_read(place: Place) -> None:
    run_id = new_random_id().hex()
    model_id = place.create(source_run_id=run_id, params={"lr": "1"}, tags={"a": "b"}, create_time_millis=1_000)
    place.update(
        model_id, status=READY, status_message="whole", params={"lr": "2"}, tags={"c": "d"}, deleted_tags=["a"]
    )
    model = place.get(model_id)
    assert (model.name, model.source_run_id, model.status) == ("gpt2", run_id, READY)
    assert (model.status_message, model.create_time_millis) == ("whole", 1_000)
    assert (dict(model.params), dict(model.tags)) == ({"lr": "1"}, {"c": "d"})


def test_a_request_that_comes_again_changes_nothing_and_another_under_its_id_is_refused(place: Place) -> None:
    request_id = new_random_id()
    model_id = place.create(request_id=request_id)
    place.get(model_id)
    assert place.create(request_id=request_id, model_id=model_id) == model_id
    assert (
        refused(lambda: place.create(request_id=request_id, model_id=model_id, name="b")).reason == "REQUEST_ID_REUSED"
    )
    assert refused(lambda: place.create(model_id=model_id)).reason == "LOGGED_MODEL_EXISTS"


def test_models_are_found_the_last_one_first_a_page_at_a_time(place: Place) -> None:
    made = [place.create(create_time_millis=1_000 + number // 2) for number in range(5)]
    place.update(made[4], deleted=True)
    found: list[str] = []
    token = ""
    while True:
        page = place.search(page_size=3, page_token=token)
        found += [model.model_id for model in page.models]
        token = page.next_page_token
        if not token:
            break
    assert found == [*sorted(made[2:4], reverse=True), *sorted(made[:2], reverse=True)]
    deleted = place.search(deleted_view=scope_pb2.DELETED_VIEW_DELETED)
    assert [model.model_id for model in deleted.models] == made[4:]
    assert refused(lambda: place.search(page_size=2, page_token="x")).reason == "PAGE_TOKEN_INVALID"


def test_a_deleted_model_takes_no_changes_until_it_is_restored_and_a_purged_one_is_gone(place: Place) -> None:
    model_id = place.create()
    purge = logged_model_pb2.PurgeLoggedModelRequest(namespace=place.namespace, model_id=model_id)
    purge.at_least.CopyFrom(place.connection.position())
    call = place.connection.models.PurgeLoggedModel
    assert refused(lambda: call(purge, timeout=SECONDS)).reason == "LOGGED_MODEL_NOT_DELETED"
    place.update(model_id, deleted=True)
    assert place.get(model_id).deleted
    assert refused(lambda: place.update(model_id, tags={"a": "b"})).reason == "LOGGED_MODEL_DELETED"
    place.update(model_id, deleted=False)
    place.update(model_id, tags={"a": "b"})
    place.update(model_id, deleted=True)
    purge.at_least.CopyFrom(place.connection.position())
    place.connection.saw(call(purge, timeout=SECONDS).position)
    assert refused(lambda: place.get(model_id)).reason == "LOGGED_MODEL_NOT_FOUND"
    assert not place.search(deleted_view=scope_pb2.DELETED_VIEW_ALL).models


def test_points_of_a_run_that_name_a_model_are_told_with_it_and_links_with_the_run(
    place: Place, embedded_target: str
) -> None:
    model_id = place.create()
    with fleetlog.start_run("train", target=embedded_target, namespace=place.namespace) as run:
        run.flush(level="applied")
    started = event_pb2.RunStarted(opening=event_pb2.RUN_OPENING_ANNOTATE)
    points = event_pb2.MetricsLogged(
        step_deltas=[1, 1], model_id=bytes.fromhex(model_id), dataset_name="hellaswag", dataset_digest="8f2c",
        columns=[event_pb2.MetricColumn(key="acc", values=[0.5, 0.75])],
    )  # fmt: skip
    linked = logged_model_event_pb2.ModelsLinked(input_model_ids=[bytes.fromhex(model_id)])
    linked.outputs.add(model_id=bytes.fromhex(model_id), step=7)
    events = [
        event_pb2.Event(sequence=1, run_started=started),
        event_pb2.Event(sequence=2, metrics_logged=points, observe_time_millis=5_000),
        event_pb2.Event(sequence=3, models_linked=linked),
    ]
    frame = frame_pb2.Frame(
        namespace=place.namespace, run_id=bytes.fromhex(run.id), writer_id=new_random_id(), events=events
    )
    assert not place.append(frame).status.code
    metrics = [(one.key, one.step, one.value, one.run_id, one.time_millis) for one in place.get(model_id).metrics]
    assert metrics == [("acc", 1, 0.5, run.id, 5_000), ("acc", 2, 0.75, run.id, 5_000)]
    request = query_pb2.GetRunRequest(
        namespace=place.namespace, run_id=run.id, at_least=place.connection.position(), tell_position=True
    )
    answer = place.connection.query.GetRun(request, timeout=SECONDS)
    assert list(answer.run.input_model_ids) == [model_id]
    assert [(one.model_id, one.step) for one in answer.run.model_outputs] == [(model_id, 7)]
    assert answer.run.metrics[0].last == 0.75
    told = {(one.topic, one.partition): one.next_offset for one in answer.position.offsets}
    assert all(told[one.topic, one.partition] >= one.next_offset for one in request.at_least.offsets)


def _log_file(place: Place, owner: str, path: str, content: bytes, subject: frame_pb2.Subject.ValueType) -> None:
    artifact = event_pb2.ArtifactLogged(
        path=path, size_bytes=len(content), sha256=hashlib.sha256(content).digest(), content=content
    )
    frame = frame_pb2.Frame(
        namespace=place.namespace, run_id=bytes.fromhex(owner), writer_id=new_random_id(), subject=subject,
        events=[event_pb2.Event(sequence=1, artifact_logged=artifact)],
    )  # fmt: skip
    assert not place.append(frame).status.code


def test_files_of_a_model_are_listed_downloaded_and_deleted(place: Place, tmp_path: Path) -> None:
    model_id = place.create()
    for name in ("MLmodel", "data/a.bin", "data/b.bin", "database"):
        _log_file(place, model_id, name, name.encode(), frame_pb2.SUBJECT_MODEL)
    client = fleetlog.Client(place.connection.target, place.namespace)
    owner = f"m-{model_id}"
    assert [file.path for file in client.list_artifacts(owner)] == ["MLmodel", "data/a.bin", "data/b.bin", "database"]
    assert client.download_artifact(owner, "data/a.bin", tmp_path / "a").read_bytes() == b"data/a.bin"
    with pytest.raises(fleetlog.NotFound) as missing:
        client.list_artifacts(model_id)
    assert missing.value.reason == "RUN_NOT_FOUND"
    frame = frame_pb2.Frame(
        namespace=place.namespace, run_id=bytes.fromhex(model_id), writer_id=new_random_id(),
        subject=frame_pb2.SUBJECT_MODEL,
    )  # fmt: skip
    frame.events.add(sequence=1).artifacts_deleted.path = "data"
    place.append(frame)
    assert [file.path for file in client.list_artifacts(owner)] == ["MLmodel", "database"]
    _log_file(place, model_id, "data/a.bin", b"new", frame_pb2.SUBJECT_MODEL)
    assert [(file.path, file.size_bytes) for file in client.list_artifacts(owner, "data")] == [("data/a.bin", 3)]


def test_a_model_of_another_namespace_is_not_there(place: Place) -> None:
    model_id = place.create()
    place.get(model_id)
    other = Place(place.connection, unique("models"))
    missing = refused(lambda: place.get(new_random_id().hex()))
    for call in (lambda: other.get(model_id), lambda: other.update(model_id, tags={"a": "b"})):
        found = refused(call)
        assert (found.code, found.reason) == (missing.code, missing.reason)
    listing = artifact_pb2.ListArtifactsRequest(
        namespace=other.namespace, run_id=model_id, subject=frame_pb2.SUBJECT_MODEL
    )
    listed = place.connection.query.ListArtifacts
    assert refused(lambda: listed(listing, timeout=SECONDS)).reason == "LOGGED_MODEL_NOT_FOUND"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": " "}, "NAME_EMPTY"),
        ({"name": "x" * 1_000_000}, "NAME_TOO_LONG"),
        ({"name": "a\x00b"}, "NAME_INVALID"),
        ({"model_id": "../../etc"}, "INVALID_ID"),
        ({"source_run_id": "a/b"}, "INVALID_ID"),
        ({"request_id": b"x"}, "INVALID_ID"),
        ({"params": {"": "x"}}, "KEY_EMPTY"),
        ({"params": {"a//b": "x"}}, "KEY_INVALID"),
        ({"tags": {"a": "x" * 20_000}}, "TEXT_TOO_LONG"),
        ({"tags": {str(number): "x" for number in range(2_001)}}, "OVER_LIMIT"),
        ({"model_type": "x" * 251}, "NAME_TOO_LONG"),
        ({"namespace": "' OR 1=1 --"}, "INVALID_NAMESPACE"),
        ({"experiment_id": 77}, "EXPERIMENT_NOT_FOUND"),
    ],
)
def test_what_no_model_can_be_is_refused(place: Place, fields: dict[str, Any], reason: str) -> None:
    namespace = str(fields.pop("namespace", place.namespace))
    assert refused(lambda: Place(place.connection, namespace).create(**fields)).reason == reason


def test_a_change_that_changes_nothing_or_comes_with_a_deletion_is_refused(place: Place) -> None:
    calls: list[Callable[[], None]] = [
        lambda: place.update("0" * 32),
        lambda: place.update("0" * 32, deleted=True, tags={"a": "b"}),
    ]
    for call in calls:
        assert refused(call).reason == "NOTHING_TO_CHANGE"


def test_events_stand_in_frames_of_their_subject(place: Place) -> None:
    model_id = place.create()
    tags = event_pb2.Event(sequence=1, tags_set=event_pb2.TagsSet(tags={"a": "b"}))
    purged = event_pb2.Event(sequence=1, logged_model_purged=logged_model_event_pb2.LoggedModelPurged())
    for event, reason in ((tags, "WRONG_SUBJECT"), (purged, "PAYLOAD_NOT_ALLOWED")):
        frame = frame_pb2.Frame(
            namespace=place.namespace, run_id=bytes.fromhex(model_id), writer_id=new_random_id(), events=[event],
            subject=frame_pb2.SUBJECT_MODEL,
        )  # fmt: skip
        (refusal,) = place.append(frame).refusals
        assert reason in str(refusal.status)
    assert place.get(model_id).status == PENDING
    frames = [frame_pb2.Frame(), frame_pb2.Frame()]
    frames[0].CopyFrom(frame)
    frames[0].writer_id = new_random_id()
    for sequence, one in enumerate(frames, start=1):
        del one.events[:]
        one.events.add(sequence=sequence).logged_model_updated.tags[str(sequence)] = "x"
    requests = (ingest_pb2.AppendEventsRequest(frame=one) for one in frames)
    answers = list(place.connection.ingest.AppendEvents(requests, timeout=SECONDS))
    place.connection.saw(answers[1].position)
    assert [answer.durable_sequence for answer in answers] == [1, 2], "the second has the subject of the first"
    assert set(place.get(model_id).tags) == {"1", "2"}
    frame.subject = frame_pb2.Subject.ValueType(9)
    assert "SUBJECT_INVALID" in str(place.append(frame).status)
