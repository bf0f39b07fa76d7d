"""Uploads by parts, to a server or a store that means harm: nothing but bytes of the file is sent, and it ends."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from fleetlog._files import multipart as direct
from fleetlog._files.artifacts import artifact_event
from fleetlog._transport.connection import Connection
from fleetlog.errors import FleetlogError
from fleetlog_proto.v1 import ingest_pb2

from tests.client.delivery.test_delivery import writer
from tests.client.strange import strange_server

MIB = 1 << 20


def refusal(path: Path, parts: Iterator[ingest_pb2.UploadPart]) -> FleetlogError:
    """The error of an upload whose server names these parts, one after another."""

    def name_parts(request: Any, context: Any) -> ingest_pb2.GetUploadPartsResponse:
        return ingest_pb2.GetUploadPartsResponse(parts=[next(parts)])

    path.write_bytes(bytes(2 * MIB))
    with strange_server(
        BeginUpload=lambda request, context: ingest_pb2.BeginUploadResponse(upload_token="t"), GetUploadParts=name_parts
    ) as target:
        connection = Connection(target)
        with pytest.raises(FleetlogError) as caught:
            artifact_event(connection, writer(), path, "model.bin", 0)
        connection.close()
    return caught.value


@contextmanager
def store(status: int, location: str = "", body: bytes = b"") -> Iterator[tuple[str, list[str]]]:
    """A store that answers every PUT so: its address, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("offset", "size"), [(-1, 10), (0, 0), (0, -5), (0, 2 * MIB + 1), (2 * MIB, 1), (1 << 62, 1 << 62)]
)
def test_a_part_that_is_not_within_the_file_is_refused(offset: int, size: int, tmp_path: Path) -> None:
    part = ingest_pb2.UploadPart(offset_bytes=offset, size_bytes=size, url="http://127.0.0.1:9/")
    error = refusal(tmp_path / "model.bin", itertools.repeat(part))
    assert error.reason == "BAD_ANSWER"
    assert "not within its bytes" in error.message


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "//127.0.0.1/x", "", "http://[::1/x"])
def test_an_address_that_is_none_of_a_store_is_not_opened(url: str, tmp_path: Path) -> None:
    part = ingest_pb2.UploadPart(offset_bytes=0, size_bytes=MIB, url=url)
    error = refusal(tmp_path / "model.bin", itertools.repeat(part))
    assert error.reason == "OBJECT_STORE_UNAVAILABLE"


def test_an_answer_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    with store(200) as (elsewhere, never), store(307, f"{elsewhere}/stolen") as (url, asked):
        part = ingest_pb2.UploadPart(offset_bytes=0, size_bytes=MIB, url=f"{url}/part")
        error = refusal(tmp_path / "model.bin", itertools.repeat(part))
    assert "status 307" in error.message
    assert asked == ["/part?"]
    assert not never


def test_parts_that_are_missing_for_ever_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "MAX_ROUNDS", 6)
    with store(200, body=bytes(1 << 20)) as (url, asked):
        parts = [ingest_pb2.UploadPart(offset_bytes=offset, size_bytes=MIB, url=url) for offset in (0, MIB)]
        error = refusal(tmp_path / "model.bin", itertools.cycle(parts))
    assert error.reason == "BAD_ANSWER"
    assert "again and again" in error.message
    assert len(asked) == 6
