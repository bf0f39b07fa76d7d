"""Peers that are rude below gRPC: they are cut off or bounded, and good clients are answered all the while."""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import fleetlog
import grpc
import pytest
from fleetlog_proto.v1 import query_pb2, query_pb2_grpc

from tests.end_to_end.refusals import SECONDS, refused
from tests.end_to_end.test_kill import start
from tests.faults.sizes import sized
from tests.ports import free_port

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, HEADERS, RST_STREAM, PING = 4, 1, 3, 6
END_HEADERS = 4
FLOOD = 100_000
BOMB = 200 * 1024 * 1024
IDLE = sized(300, 10_000)
BYTES_OF_IDLE = 100_000
"""What one idle connection with one idle stream may take; it is about 50,000."""
METADATA = 20 * 1024


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def field(name: bytes, value: bytes) -> bytes:
    """A header as HPACK has it when nothing is compressed or indexed."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def call_of(path: bytes) -> bytes:
    """The headers of a call."""
    headers = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"localhost"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    )
    return b"".join(field(name, value) for name, value in headers)


CALL = call_of(b"/fleetlog.v1.QueryService/GetRun")
STREAM = call_of(b"/fleetlog.v1.IngestService/AppendEvents")


@contextmanager
def peer(target: str) -> Iterator[socket.socket]:
    host, port = target.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=SECONDS) as opened:
        opened.sendall(PREFACE + frame(SETTINGS, 0, 0, b""))
        yield opened


def send(to: socket.socket, frames: Iterator[bytes]) -> int:
    """How many were sent before the server closed the connection."""
    sent = 0
    try:
        for one in frames:
            to.sendall(one)
            sent += 1
    except OSError:
        pass
    return sent


def everything(from_: socket.socket) -> bytes:
    found = b""
    try:
        while data := from_.recv(65_536):
            found = found[-1_000_000:] + data
    except OSError:
        pass
    return found


def answered(target: str) -> None:
    with grpc.insecure_channel(target) as channel:
        query = query_pb2_grpc.QueryServiceStub(channel)
        missing = query_pb2.GetRunRequest(run_id="0" * 32)
        assert refused(lambda: query.GetRun(missing, timeout=SECONDS)).reason == "RUN_NOT_FOUND"


def memory(pid: int) -> int:
    """Bytes of the process that are in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_flood_of_pings_is_cut_off(embedded_target: str) -> None:
    with peer(embedded_target) as rude:
        pings = (frame(PING, 0, 0, struct.pack(">Q", number)) for number in range(FLOOD))
        assert send(rude, pings) < FLOOD
        answered(embedded_target)


def test_calls_that_are_begun_and_reset_hold_up_nobody(embedded_target: str) -> None:
    with fleetlog.start_run("floods", target=embedded_target) as run:
        run.log({"x": 1.0})
    for _ in range(4):
        with peer(embedded_target) as rude:
            calls = (
                frame(HEADERS, END_HEADERS, stream, CALL) + frame(RST_STREAM, 0, stream, struct.pack(">I", 8))
                for stream in range(1, 20_000, 2)
            )
            send(rude, calls)
            answered(embedded_target)
    assert fleetlog.Client(embedded_target).get_run(run.id).metrics == {"x": 1.0}


@pytest.mark.parametrize(
    "junk", [b"GET / HTTP/1.1\r\nHost: evil\r\n\r\n", b"\x16\x03\x01\x02\x00" + bytes(517), b"\0" * 4096]
)
def test_what_is_not_http2_is_closed(embedded_target: str, junk: bytes) -> None:
    host, port = embedded_target.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=SECONDS) as rude:
        send(rude, iter([junk]))
        assert b"fleetlog" not in everything(rude)
    answered(embedded_target)


def test_a_compressed_bomb_takes_no_memory(tmp_path: Path) -> None:
    port = free_port()
    server = start(tmp_path / "data", port)
    try:

        def peak() -> int:
            lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
            return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

        answered(f"127.0.0.1:{port}")
        before, options = peak(), [("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(f"127.0.0.1:{port}", options, compression=grpc.Compression.Gzip) as channel:
            get = channel.unary_unary("/fleetlog.v1.QueryService/GetRun", bytes, bytes)
            assert refused(lambda: get(bytes(BOMB), timeout=60)).code == "RESOURCE_EXHAUSTED"
        assert peak() - before < BOMB / 4
        answered(f"127.0.0.1:{port}")
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0


def test_connections_and_streams_that_are_idle_take_little_and_hold_up_nobody(tmp_path: Path) -> None:
    port = free_port()
    server, target = start(tmp_path / "data", port), f"127.0.0.1:{port}"
    try:
        answered(target)
        before = memory(server.pid)
        with ExitStack() as stack:
            for _ in range(IDLE):
                idle = stack.enter_context(peer(target))
                idle.sendall(frame(HEADERS, END_HEADERS, 1, STREAM))
                # Its settings: the server has the connection.
                assert idle.recv(9)
            with fleetlog.start_run("idle", target=target) as run:
                run.log({"x": 1.0})
            assert fleetlog.Client(target).get_run(run.id).metrics == {"x": 1.0}
            assert memory(server.pid) - before < IDLE * BYTES_OF_IDLE + BOMB / 4
        answered(target)
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0


def test_metadata_over_the_limit_is_refused_and_the_connection_serves_on(embedded_target: str) -> None:
    with grpc.insecure_channel(embedded_target) as channel:
        query = query_pb2_grpc.QueryServiceStub(channel)
        missing = query_pb2.GetRunRequest(run_id="0" * 32)
        large = (("x-large", "y" * METADATA),)
        for _ in range(20):
            assert refused(lambda: query.GetRun(missing, timeout=SECONDS, metadata=large)).code == "RESOURCE_EXHAUSTED"
        assert refused(lambda: query.GetRun(missing, timeout=SECONDS)).reason == "RUN_NOT_FOUND"
    answered(embedded_target)
