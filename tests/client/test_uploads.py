"""Files: the server may be away when they are logged; what can't be kept is told to the run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import fleetlog
import pytest
from fleetlog import artifacts
from fleetlog.connection import Connection
from fleetlog.deliveries import delivery_to
from fleetlog.run import Run
from fleetlog_proto.v1 import event_pb2, ingest_pb2

from tests.client.gateway import House, house
from tests.client.test_delivery import writer

LARGE = bytes(range(256)) * 8192


@pytest.fixture
def place(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path / "objects") as one:
        yield one
        delivery_to(one.target).close()


def events_of(place: House, kind: str) -> list[event_pb2.Event]:
    return [event for frame in place.frames() for event in frame.events if event.WhichOneof("payload") == kind]


def test_files_wait_for_the_server_and_flush_says_so(place: House, tmp_path: Path) -> None:
    place.stop()
    (tmp_path / "model.bin").write_bytes(LARGE)
    (tmp_path / "note.txt").write_text("hello")
    with Run(writer(), place.target) as run:
        run.log_artifact(tmp_path / "model.bin", "checkpoints/model.bin")
        run.log_artifact(tmp_path / "note.txt")
        with pytest.raises(fleetlog.DeadlineExceeded, match=r"1 file \(checkpoints/model.bin\)"):
            run.flush(0.1)
        place.start()
    kept = {event.artifact_logged.path: event.artifact_logged for event in events_of(place, "artifact_logged")}
    assert kept["note.txt"].content == b"hello"
    assert kept["checkpoints/model.bin"].sha256 == hashlib.sha256(LARGE).digest()
    stored = [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]
    assert LARGE in [path.read_bytes() for path in stored]


def test_a_file_that_is_gone_when_the_server_returns_is_told_as_lost(place: House, tmp_path: Path) -> None:
    place.stop()
    (tmp_path / "model.bin").write_bytes(LARGE)
    with Run(writer(), place.target) as run:
        run.log_artifact(tmp_path / "model.bin")
        (tmp_path / "model.bin").unlink()
        place.start()
        run.flush(30.0)
        run.log({"loss": 1.0})
    (told,) = events_of(place, "loss_reported")
    assert (told.loss_reported.events, told.loss_reported.reason) == (1, "FILE_UNREADABLE")
    assert not events_of(place, "artifact_logged")


def test_a_file_that_goes_while_it_is_uploaded_is_told_as_lost(
    place: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "model.bin").write_bytes(LARGE)

    def gone(connection: Connection, header: ingest_pb2.UploadHeader, path: Path) -> bool:
        path.unlink()
        return False

    monkeypatch.setattr(artifacts, "uploaded_by_parts", gone)
    with Run(writer(), place.target) as run:
        run.log_artifact(tmp_path / "model.bin")
    place.stop()
    (tmp_path / "model.bin").write_bytes(LARGE)
    with Run(writer(), place.target) as run:
        run.log_artifact(tmp_path / "model.bin")
        place.start()
        run.flush(30.0)
    reasons = [event.loss_reported.reason for event in events_of(place, "loss_reported")]
    assert reasons == ["ARTIFACT_NOT_KEPT", "FILE_UNREADABLE"]
    assert not events_of(place, "artifact_logged")
    assert not [record for record in caplog.records if record.name.startswith("grpc")]


def test_a_file_that_is_not_there_costs_itself_alone(
    place: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Run(writer(), place.target) as run:
        run.log_artifact(tmp_path / "nowhere.bin")
        run.log({"loss": 1.0})
    assert "nowhere.bin was not kept" in caplog.text
    (told,) = events_of(place, "loss_reported")
    assert told.loss_reported.reason == "ARTIFACT_NOT_KEPT"
    assert len(events_of(place, "metrics_logged")) == 1
