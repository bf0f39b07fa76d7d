"""Files: the server may be away when they are logged; what can't be kept is told to the run."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import fleetlog
import pytest
from fleetlog._delivery import uploads
from fleetlog._delivery.delivery import Delivery
from fleetlog._delivery.registry import delivery_to
from fleetlog._delivery.uploads import Upload
from fleetlog._files import artifacts
from fleetlog._files.local_files import LocalFile, opened
from fleetlog._runs import file_logging
from fleetlog._runs.file_logging import FileLogger
from fleetlog._runs.run import Run
from fleetlog._transport.connection import Connection
from fleetlog.errors import FleetlogError
from fleetlog_proto.v1 import event_pb2, ingest_pb2

from tests.client.delivery.test_delivery import writer
from tests.client.gateway import House, house
from tests.waiting import reached

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


def test_a_file_that_changes_while_the_server_is_away_is_kept_as_it_was(place: House, tmp_path: Path) -> None:
    place.stop()
    (tmp_path / "model.bin").write_bytes(LARGE)
    (tmp_path / "other.bin").write_bytes(LARGE)
    with Run(writer(), place.target) as run:
        run.log_artifact(tmp_path / "model.bin")
        run.log_artifact(tmp_path / "other.bin")
        (tmp_path / "model.bin").unlink()
        (tmp_path / "other.bin").write_bytes(b"another version")
        place.start()
    assert kept(place, tmp_path) == {"model.bin": LARGE, "other.bin": LARGE}
    assert not losses(place)


def test_a_file_that_is_gone_while_the_server_is_away_is_told_as_lost_without_a_journal(
    place: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETLOG_JOURNAL", "off")
    place.stop()
    (tmp_path / "model.bin").write_bytes(LARGE)
    with Run(writer(), place.target) as run:
        run.log_artifact(tmp_path / "model.bin")
        (tmp_path / "model.bin").unlink()
        # A try that had opened it before may go on with it; the next one can't.
        reached(lambda: not run._delivery.uploads.names)
        place.start()
        run.flush(30.0)
        run.log({"loss": 1.0})
    (told,) = events_of(place, "loss_reported")
    assert (told.loss_reported.events, told.loss_reported.reason) == (1, "FILE_UNREADABLE")
    assert not events_of(place, "artifact_logged")


def amid_upload(monkeypatch: pytest.MonkeyPatch, happens: Callable[[Path], object]) -> None:
    """Something happens to each file between its two readings: for its digest, and to be sent."""

    def now(connection: Connection, header: ingest_pb2.UploadHeader, file: LocalFile) -> bool:
        happens(file.path)
        return False

    monkeypatch.setattr(artifacts, "uploaded_by_parts", now)


def kept(place: House, tmp_path: Path) -> dict[str, bytes]:
    """The bytes of every file by its path."""
    stored = {path.name: path.read_bytes() for path in (tmp_path / "objects").rglob("*") if path.is_file()}
    logged = [event.artifact_logged for event in events_of(place, "artifact_logged")]
    return {one.path: one.content or stored.get(one.sha256.hex(), b"") for one in logged}


def losses(place: House) -> list[tuple[str, int]]:
    return [(one.loss_reported.reason, one.loss_reported.events) for one in events_of(place, "loss_reported")]


def test_a_file_that_goes_while_it_is_uploaded_is_kept_as_it_was(
    place: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.bin").write_bytes(LARGE)
    amid_upload(monkeypatch, Path.unlink)
    with Run(writer(), place.target) as run:
        run.log_artifact(tmp_path / "model.bin")
    assert kept(place, tmp_path) == {"model.bin": LARGE}
    assert not losses(place)


def test_a_file_that_grows_is_kept_as_it_was_at_the_call(
    place: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grow(path: Path) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    (tmp_path / "train.log").write_bytes(LARGE)
    amid_upload(monkeypatch, grow)
    with Run(writer(), place.target) as run:
        run.log_artifact(tmp_path / "train.log")
    assert kept(place, tmp_path) == {"train.log": LARGE}
    assert not losses(place)


@pytest.mark.parametrize("after", [LARGE[::-1], LARGE[: 3 << 19]])
def test_a_file_that_is_rewritten_once_is_read_again(
    place: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bytes
) -> None:
    (tmp_path / "model.bin").write_bytes(LARGE)
    amid_upload(monkeypatch, lambda path: path.write_bytes(after))
    with Run(writer(), place.target) as run:
        run.log_artifact(tmp_path / "model.bin")
    assert kept(place, tmp_path) == {"model.bin": after}
    assert not losses(place)


def test_a_file_that_is_rewritten_all_the_time_is_told(
    place: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    versions = itertools.count()
    (tmp_path / "model.bin").write_bytes(LARGE)
    amid_upload(monkeypatch, lambda path: path.write_bytes(b"%d" % next(versions) + LARGE))
    with Run(writer(), place.target) as run:
        run.log_artifact(tmp_path / "model.bin")
    assert losses(place) == [("ARTIFACT_NOT_KEPT", 1)]
    assert "model.bin was rewritten while it was read" in caplog.text
    assert not [record for record in caplog.records if record.name.startswith("grpc")]


def odd_things(folder: Path) -> Iterator[tuple[Any, str]]:
    """What is no file, and what is said of it."""
    os.mkfifo(folder / "pipe")
    yield folder / "pipe", "is a FIFO"
    yield "/dev/zero", "is a device"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(folder / "socket"))
    listening.close()
    yield folder / "socket", "is a socket"
    (folder / "dangling").symlink_to("nowhere")
    yield folder / "dangling", "No such file"
    (folder / "circle").symlink_to("circle")
    yield folder / "circle", "Too many levels"
    (folder / "folder").mkdir()
    yield folder / "folder", "log it with log_artifacts"
    yield folder / "nowhere" / "x", "No such file"
    yield "a\0b", "a control character"
    yield "", "is empty"
    yield 5, "a path is a text"
    yield None, "a path is a text"


def test_what_is_no_file_is_told_and_neither_read_nor_raised(
    place: House, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "note.txt").write_text("hello")
    count, number, data = 0, cast(Any, 5), cast(Any, os.fsencode(tmp_path / "note.txt"))
    with Run(writer(), place.target) as run:
        for thing, told in odd_things(tmp_path):
            caplog.clear()
            run.log_artifact(thing)
            assert told in caplog.text, thing
            count += 1
        for name in ("../x", "/x", "a\nb", "pay\u202e001", "", number):
            run.log_artifact(tmp_path / "note.txt", name)
            count += 1
        run.log_artifacts(number)
        run.log_artifacts(tmp_path, number)
        run.log_artifact(data)
    assert sum(events for reason, events in losses(place) if reason == "ARTIFACT_NOT_KEPT") == count + 2
    assert kept(place, tmp_path) == {"note.txt": b"hello"}


def test_of_a_folder_everything_else_is_kept_when_some_of_it_can_not_be(
    place: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root, outside = tmp_path / "ckpt", tmp_path / "outside"
    (root / "step-100").mkdir(parents=True)
    (root / "step-100" / "model.pt").write_bytes(b"w")
    for name in (b"a.txt", b"caf\xe9.txt", b"new\nline", b"back\\slash", b"z.txt"):
        (root / os.fsdecode(name)).write_bytes(name)
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (root / "latest").symlink_to("step-100")
    (root / "best.pt").symlink_to("step-100/model.pt")
    (root / "out.txt").symlink_to(outside / "secret")
    (root / "out").symlink_to(outside)
    (root / "up").symlink_to("..")
    (root / "circle").symlink_to("circle")
    os.mkfifo(root / "pipe")
    with Run(writer(), place.target) as run:
        run.log_artifacts(f"{root}/", "/")
        run.log_artifacts(root / "step-100" / "model.pt", "alone/")
        run.log_artifacts(root / "latest", "latest")
        run.log_artifacts(root / "nowhere")
        run.log({"loss": 1.0})
    assert kept(place, tmp_path) == {
        "a.txt": b"a.txt", "z.txt": b"z.txt", "step-100/model.pt": b"w", "best.pt": b"w", "alone/model.pt": b"w",
        "latest/model.pt": b"w",
    }  # fmt: skip
    assert sum(events for reason, events in losses(place) if reason == "ARTIFACT_NOT_KEPT") == 10
    assert "9 were not kept: " in caplog.text
    assert "and 4 more" in caplog.text
    assert "nowhere was not kept" in caplog.text


def test_a_folder_that_takes_long_does_not_hold_the_training(place: House, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number:02}.txt").write_text(str(number))
    with Run(writer(), place.target) as run:
        FileLogger(delivery_to(place.target), run._writer, run._put, run._now).log_tree(
            tmp_path, "tree", tree_seconds=-1.0
        )
    assert len([name for name in kept(place, tmp_path) if name.startswith("tree/")]) == 20


def test_a_link_that_is_put_in_the_place_of_a_file_meanwhile_is_not_followed(place: House, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(FleetlogError, match="is a link"), opened(tmp_path / "link", follow_link=False):
        pass


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


def failing(monkeypatch: pytest.MonkeyPatch, errors: list[BaseException]) -> list[str]:
    """The first tries in the background end by these errors; the names that were tried."""
    tried: list[str] = []
    event = artifacts.artifact_event

    def artifact_event(connection: Connection, writer: Any, path: Path, name: str, *args: Any, **more: Any) -> Any:
        tried.append(name)
        if name == "model.bin" and errors:
            raise errors.pop(0)
        return event(connection, writer, path, name, *args, **more)

    monkeypatch.setattr(uploads, "artifact_event", artifact_event)
    monkeypatch.setattr(uploads, "PAUSE_SECONDS", (0.001, 0.01))
    return tried


def in_background(place: House, *paths: Path) -> Delivery:
    delivery = Delivery(Connection(place.target), silence_seconds=0.2)
    one = writer()
    delivery.add(one)
    for path in paths:
        delivery.uploads.add(Upload(one, path, path.name))
    return delivery


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("no room"), OSError(errno.EMFILE, "too many open files"), RuntimeError("can't start new thread"),
        FleetlogError("WHO_KNOWS", "an error that is not known"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_shortage_or_an_unknown_error_loses_no_file_and_holds_up_no_other(
    place: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    (tmp_path / "model.bin").write_bytes(LARGE)
    (tmp_path / "other.bin").write_bytes(LARGE)
    tried = failing(monkeypatch, [error] * 5)
    delivery = in_background(place, tmp_path / "model.bin", tmp_path / "other.bin")
    assert delivery.flush(30.0)
    delivery.close()
    assert kept(place, tmp_path) == {"model.bin": LARGE, "other.bin": LARGE}
    assert tried.index("other.bin") < 5
    assert not losses(place)


def test_a_file_that_fails_for_ever_for_no_known_reason_is_told_as_lost(
    place: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "model.bin").write_bytes(LARGE)
    tried = failing(monkeypatch, [MemoryError("no room")] * 1_000)
    delivery = in_background(place, tmp_path / "model.bin")
    assert delivery.flush(30.0)
    delivery.close()
    assert tried == ["model.bin"] * uploads.MAX_TRIES
    assert losses(place) == [("FILE_UNREADABLE", 1)]
    assert "trying again" in caplog.text


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_an_uploads_thread_that_dies_begins_again_and_says_so_once(
    place: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Any
) -> None:
    (tmp_path / "model.bin").write_bytes(LARGE)
    failing(monkeypatch, [error(), error()])
    delivery = in_background(place, tmp_path / "model.bin")
    assert delivery.flush(30.0)
    delivery.close()
    assert kept(place, tmp_path) == {"model.bin": LARGE}
    assert sum("the uploads ended by" in record.message for record in caplog.records) == 1


def test_a_shortage_while_a_file_is_logged_leaves_it_to_the_background(
    place: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.bin").write_bytes(LARGE)

    def short(*args: Any, **more: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(file_logging, "artifact_event", short)
    with Run(writer(), place.target) as run:
        run.log_artifact(tmp_path / "model.bin")
    assert kept(place, tmp_path) == {"model.bin": LARGE}
    assert not losses(place)
