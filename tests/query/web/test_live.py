from __future__ import annotations

import json
from collections.abc import Iterator

import fleetlog
import pytest
from fleetlog_deploy.node import Node
from fleetlog_proto.v1 import scope_pb2, watch_pb2
from fleetlog_query.web.live_frames import CANCEL, END, ERROR, HEAD, MESSAGE, OPEN
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.waiting import reached

WATCH = b"fleetlog.v1.QueryService/WatchRuns"
SECONDS = 120.0


@pytest.fixture
def socket(embedded_web: int) -> Iterator[ClientConnection]:
    origin = f"http://127.0.0.1:{embedded_web}"
    with connect(f"ws://127.0.0.1:{embedded_web}/live", origin=Origin(origin), proxy=None) as connection:
        yield connection


def opening(stream: int, request: bytes, path: bytes = WATCH) -> bytes:
    return HEAD.pack(stream, OPEN) + bytes([len(path)]) + path + request


def watch(experiment: str) -> bytes:
    scope = scope_pb2.RunScope(experiment_names=[experiment])
    return watch_pb2.WatchRunsRequest(scope=scope, limit=10).SerializeToString()


def received(socket: ClientConnection) -> tuple[int, int, bytes]:
    data = socket.recv(timeout=SECONDS)
    assert isinstance(data, bytes)
    stream, kind = HEAD.unpack_from(data)
    return stream, kind, data[HEAD.size :]


def open_watches(node: Node) -> float:
    value = node.telemetry.registry.get_sample_value("fleetlog_rpcs_open", {"rpc": "QueryService/WatchRuns"})
    return value or 0.0


def test_two_searches_live_on_one_socket(socket: ClientConnection, embedded: tuple[Node, str], experiment: str) -> None:
    node, target = embedded
    names = [f"{experiment} {number}"[-400:] for number in (1, 2)]
    for name in names:
        fleetlog.Client(target).create_experiment(name)
    for stream, name in enumerate(names, 1):
        socket.send(opening(stream, watch(name)))
    assert {received(socket)[:2] for _ in names} == {(1, MESSAGE), (2, MESSAGE)}
    with fleetlog.start_run(names[1], target=target) as run:
        run.log({"loss": 1.0}, step=1)
        stream, kind, data = received(socket)
    changes = watch_pb2.WatchRunsResponse.FromString(data)
    assert (stream, kind, [one.run_id for one in changes.entered]) == (2, MESSAGE, [run.id])
    socket.send(HEAD.pack(1, CANCEL))
    while (answer := received(socket))[:2] != (1, END):
        assert answer[0] == 2
    reached(lambda: open_watches(node) == 1)
    socket.close()
    reached(lambda: open_watches(node) == 0)


def test_a_stream_that_fails_says_why_and_the_others_live(socket: ClientConnection) -> None:
    socket.send(opening(1, watch("there is no such experiment")))
    stream, kind, data = received(socket)
    assert (stream, kind, json.loads(data)["reason"]) == (1, ERROR, "EXPERIMENT_NOT_FOUND")
    socket.send(opening(2, b"", b"fleetlog.v1.QueryService/GetRun"))
    stream, kind, data = received(socket)
    assert (stream, kind, json.loads(data)["reason"]) == (2, ERROR, "METHOD_UNKNOWN")


@pytest.mark.parametrize("sent", ["text", b"", b"\0\0\0\1\7"])
def test_a_socket_that_speaks_otherwise_is_closed(socket: ClientConnection, sent: str | bytes) -> None:
    socket.send(sent)
    with pytest.raises(ConnectionClosed) as caught:
        socket.recv(timeout=SECONDS)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1003


@pytest.mark.parametrize("origin", [None, "http://evil.example"])
def test_a_socket_of_another_origin_is_refused(embedded_web: int, origin: str | None) -> None:
    with pytest.raises(InvalidStatus) as caught:
        connect(f"ws://127.0.0.1:{embedded_web}/live", origin=None if origin is None else Origin(origin), proxy=None)
    assert caught.value.response.status_code == 403
