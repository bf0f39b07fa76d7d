"""Downloads: from a server that means harm, onto disks where something stands already, by several at once."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fleetlog
import pytest
from fleetlog_core.errors import FleetlogError
from fleetlog_proto.v1 import artifact_pb2

from tests.client.strange import strange_server

RUN = "0" * 32
DATA = bytes(range(256)) * 12_000
CHUNK = 1 << 20
Pieces = Iterator[artifact_pb2.DownloadArtifactResponse]


def announced(data: bytes, path: str = "m.bin", size: int | None = None) -> artifact_pb2.DownloadArtifactResponse:
    digest = hashlib.sha256(data).digest()
    size = len(data) if size is None else size
    return artifact_pb2.DownloadArtifactResponse(
        artifact=artifact_pb2.Artifact(path=path, size_bytes=size, sha256=digest)
    )


class Server:
    """Serves one file, and remembers from where it was asked for."""

    def __init__(self, data: bytes = DATA) -> None:
        self.data = data
        self.cut_after = 1 << 60
        self.asked: list[int] = []

    def __call__(self, request: artifact_pb2.DownloadArtifactRequest, context: Any) -> Pieces:
        self.asked.append(request.offset_bytes)
        yield announced(self.data, request.path)
        for start in range(request.offset_bytes, len(self.data), CHUNK):
            if start >= self.cut_after:
                return
            yield artifact_pb2.DownloadArtifactResponse(chunk=self.data[start : start + CHUNK])


def bad(handler: Callable[[Any, Any], Any], folder: Path, path: str = "m.bin") -> FleetlogError:
    """The error of a download; nothing of it stays on the disk."""
    with strange_server(DownloadArtifact=handler) as target:
        with pytest.raises(FleetlogError) as caught:
            fleetlog.Client(target).download_artifact(RUN, path, folder)
        assert target in str(caught.value)
    assert not list(folder.iterdir())
    return caught.value


def test_a_download_without_end_stops_at_the_size_that_was_announced(tmp_path: Path) -> None:
    sent = 0

    def endless(request: Any, context: Any) -> Pieces:
        nonlocal sent
        yield announced(b"1234")
        while True:
            sent += 1
            yield artifact_pb2.DownloadArtifactResponse(chunk=bytes(CHUNK))

    error = bad(endless, tmp_path)
    assert error.reason == "BAD_ANSWER"
    assert "more than the 4 bytes" in error.message
    assert sent < 100


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([], "begins with what is downloaded"),
        ([artifact_pb2.DownloadArtifactResponse(chunk=b"x")], "begins with what is downloaded"),
        ([announced(b"x", "other.bin")], "'other.bin', and 'm.bin' was asked for"),
        ([announced(b"x", size=-1)], "no possible size"),
        ([announced(b"x", size=1 << 62)], "no possible size"),
        ([artifact_pb2.DownloadArtifactResponse(artifact=artifact_pb2.Artifact(path="m.bin"))], "no SHA-256"),
        ([announced(b"xy"), artifact_pb2.DownloadArtifactResponse(chunk=b"x"), announced(b"xy")], "announces another"),
        ([announced(b"xy"), artifact_pb2.DownloadArtifactResponse()], "is empty"),
    ],
)
def test_answers_that_are_no_download_are_refused(
    answers: list[artifact_pb2.DownloadArtifactResponse], told: str, tmp_path: Path
) -> None:
    error = bad(lambda request, context: iter(answers), tmp_path)
    assert error.reason == "BAD_ANSWER"
    assert told in error.message


def test_more_than_the_disk_has_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with (
        strange_server(DownloadArtifact=lambda request, context: iter([announced(b"", size=1 << 42)])) as target,
        pytest.raises(fleetlog.ResourceExhausted, match=r"4,398,046,511,104 bytes are to come") as caught,
    ):
        fleetlog.Client(target).download_artifact(RUN, "m.bin", tmp_path)
    assert caught.value.reason == "DISK_FULL"
    assert not list(tmp_path.iterdir())


def test_other_bytes_than_announced_never_show(tmp_path: Path) -> None:
    server = Server()
    (tmp_path / "m.bin").write_bytes(b"before")

    def wrong(request: Any, context: Any) -> Pieces:
        yield announced(DATA)
        yield artifact_pb2.DownloadArtifactResponse(chunk=DATA[:CHUNK])
        yield artifact_pb2.DownloadArtifactResponse(chunk=bytes(len(DATA) - CHUNK))

    with strange_server(DownloadArtifact=wrong) as target, pytest.raises(FleetlogError) as caught:
        fleetlog.Client(target).download_artifact(RUN, "m.bin", tmp_path)
    assert caught.value.reason == "DIGEST_MISMATCH"
    assert (tmp_path / "m.bin").read_bytes() == b"before"
    with strange_server(DownloadArtifact=server) as target:
        fleetlog.Client(target).download_artifact(RUN, "m.bin", tmp_path)
    assert server.asked == [0]
    assert (tmp_path / "m.bin").read_bytes() == DATA
    assert [path.name for path in tmp_path.iterdir()] == ["m.bin"]


def test_a_download_goes_on_where_it_broke_off_and_only_with_the_same_bytes(tmp_path: Path) -> None:
    server = Server()
    server.cut_after = 2 * CHUNK
    with strange_server(DownloadArtifact=server) as target:
        client = fleetlog.Client(target)
        with pytest.raises(fleetlog.Unavailable, match=r"2,097,152 of 3,072,000 bytes came"):
            client.download_artifact(RUN, "m.bin", tmp_path)
        assert not (tmp_path / "m.bin").exists()
        server.cut_after = 1 << 60
        client.download_artifact(RUN, "m.bin", tmp_path)
        assert server.asked == [0, 0, 2 * CHUNK]
        assert (tmp_path / "m.bin").read_bytes() == DATA
        # Broken off again, and then another version is there.
        server.cut_after = CHUNK
        with pytest.raises(fleetlog.Unavailable):
            client.download_artifact(RUN, "m.bin", tmp_path)
        server.data, server.cut_after, server.asked = DATA[::-1], 1 << 60, []
        client.download_artifact(RUN, "m.bin", tmp_path)
    assert server.asked == [0]
    assert (tmp_path / "m.bin").read_bytes() == DATA[::-1]
    assert [path.name for path in tmp_path.iterdir()] == ["m.bin"]


def part_of(folder: Path, data: bytes = DATA) -> Path:
    """Where a download of these bytes to m.bin writes its part."""
    server = Server(data)
    server.cut_after = CHUNK
    with strange_server(DownloadArtifact=server) as target, pytest.raises(fleetlog.Unavailable):
        fleetlog.Client(target).download_artifact(RUN, "m.bin", folder)
    (part,) = folder.glob(".fleetlog-*.part")
    return part


def stand_in(kind: str, part: Path, victim: Path) -> None:
    part.unlink()
    if kind == "link":
        part.symlink_to(victim)
    elif kind == "hard link":
        os.link(victim, part)
    elif kind == "fifo":
        os.mkfifo(part)
    elif kind == "folder":
        part.mkdir()
    else:
        part.write_bytes(DATA + b"longer")


@pytest.mark.parametrize("kind", ["link", "hard link", "fifo", "folder", "longer"])
def test_what_stands_at_the_part_files_place_is_neither_followed_nor_waited_for(kind: str, tmp_path: Path) -> None:
    folder, victim = tmp_path / "out", tmp_path / "victim"
    folder.mkdir()
    victim.write_bytes(b"mine")
    stand_in(kind, part_of(folder), victim)
    with strange_server(DownloadArtifact=Server()) as target:
        assert fleetlog.Client(target).download_artifact(RUN, "m.bin", folder) == folder / "m.bin"
    assert (folder / "m.bin").read_bytes() == DATA
    assert not (folder / "m.bin").is_symlink()
    assert victim.read_bytes() == b"mine"


def test_a_link_at_the_target_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"mine")
    (tmp_path / "m.bin").symlink_to(tmp_path / "victim")
    with strange_server(DownloadArtifact=Server()) as target:
        fleetlog.Client(target).download_artifact(RUN, "m.bin", tmp_path / "m.bin")
    assert (tmp_path / "victim").read_bytes() == b"mine"
    assert (tmp_path / "m.bin").read_bytes() == DATA


def test_a_target_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.bin").mkdir()
    (tmp_path / "file").write_text("x")
    with strange_server(DownloadArtifact=Server()) as target:
        client = fleetlog.Client(target)
        with pytest.raises(fleetlog.FailedPrecondition, match=r"m\.bin is a folder"):
            client.download_artifact(RUN, "m.bin", tmp_path)
        with pytest.raises(fleetlog.FailedPrecondition, match="download to another path") as caught:
            client.download_artifact(RUN, "m.bin", tmp_path / "file" / "m.bin")
    assert caught.value.reason == "TARGET_NOT_WRITTEN"


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "a\0b", "a\\b", "", "C:/x", "%2e%2e/x"])
def test_paths_that_leave_the_folder_open_nothing(path: str, tmp_path: Path) -> None:
    server = Server()
    with strange_server(DownloadArtifact=server) as target, pytest.raises(fleetlog.InvalidArgument):
        fleetlog.Client(target).download_artifact(RUN, path, tmp_path / "out")
    assert not server.asked
    assert not list(tmp_path.iterdir())


_LIMITED = """
import resource, sys, fleetlog
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    fleetlog.Client(sys.argv[1]).download_artifact("0" * 32, "m.bin", sys.argv[2])
except fleetlog.FleetlogError as error:
    print(error.reason, error)
"""


def test_a_disk_that_takes_no_more_is_named_and_the_download_goes_on_there(tmp_path: Path) -> None:
    server = Server()
    with strange_server(DownloadArtifact=server) as target:
        command = [sys.executable, "-c", _LIMITED, target, str(tmp_path), str(CHUNK + 1000)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.startswith("DISK_FULL")
        assert "it goes on where it stopped" in done.stdout
        assert not (tmp_path / "m.bin").exists()
        fleetlog.Client(target).download_artifact(RUN, "m.bin", tmp_path)
    assert server.asked[-1] == CHUNK + 1000
    assert (tmp_path / "m.bin").read_bytes() == DATA


def test_several_that_want_one_file_in_one_place_all_get_it_whole(tmp_path: Path) -> None:
    begun = threading.Barrier(4)

    def together(request: artifact_pb2.DownloadArtifactRequest, context: Any) -> Pieces:
        yield announced(DATA)
        begun.wait(30)
        for start in range(request.offset_bytes, len(DATA), CHUNK):
            yield artifact_pb2.DownloadArtifactResponse(chunk=DATA[start : start + CHUNK])

    code = f"import sys, fleetlog; fleetlog.Client(sys.argv[1]).download_artifact({RUN!r}, 'm.bin', sys.argv[2])"
    with strange_server(DownloadArtifact=together) as target:
        command = [sys.executable, "-c", code, target, str(tmp_path)]
        processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
        told = [process.communicate(timeout=60)[1] for process in processes]
    assert told == [""] * 4
    assert (tmp_path / "m.bin").read_bytes() == DATA
    assert [path.name for path in tmp_path.iterdir()] == ["m.bin"]
