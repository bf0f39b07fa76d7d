"""What others feel while somebody is rude: p95 of a run's read beside an attack, by that of quiet, and memory.

Each attack is a process of its own, with a token of its own where it shows one. Both share the machine's cores with the
server, so an attack that takes a core takes it from the others too. Who reads makes a new connection beside each
attack, but beside the flood that comes from the reader's own address, where it has one from before.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

import fleetlog
import grpc
import numpy as np
import psutil
from fleetlog_proto.v1 import metric_pb2, query_pb2, query_pb2_grpc

from benchmarks.figure import Figure, quantile
from benchmarks.server import Embedded, running

CALLS = 300
IDLE = 10_000
POINTS = 5_000_000
READERS = 200
WRITERS = 200
SEARCHERS = 32
NAMESPACE = "vision"
ELSEWHERE = "127.0.0.2"
"""An address of another machine, as far as a server on this one can tell."""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING = 0, 1, 3, 4, 6
END_HEADERS = 4
OWN_POOL = (("grpc.use_local_subchannel_pool", 1),)
Attack = Callable[[str, str, str, Event, Event], None]


def measure() -> Iterator[Figure]:
    """On a server of its own, attack after attack."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * IDLE)), hard))
    with running("--auth") as server:
        admin = (server.data / "admin.token").read_text(encoding="ascii").strip()
        good, rude, run = _filled(server, admin)
        for name, attack in ATTACKS.items():
            with grpc.insecure_channel(server.target, OWN_POOL) as there:
                quiet, _ = _p95(there, good, run)
                before = _memory(server.pid)
                with _under(attack, server.target, rude, run), grpc.insecure_channel(server.target, OWN_POOL) as fresh:
                    if attack is idle:
                        # To be idle is what is measured, not to arrive all at once.
                        _settle(server.pid)
                    beside, dropped = _p95(there if attack is resets_here else fresh, good, run)
                    grown = (_memory(server.pid) - before) / 1e6
            times = beside / quiet
            detail = (
                f"{beside * 1e3:.1f} ms, {quiet * 1e3:.1f} in quiet; {dropped} of {CALLS} dropped; {grown:,.0f} MB more"
            )
            yield Figure(f"a run's p95 beside {name}", times, "×", 2, True, detail)


def idle(target: str, token: str, run: str, begun: Event, ended: Event) -> None:
    """Connections that open a stream each, and say no more."""
    peers = [_peer(target) for _ in range(IDLE)]
    for peer in peers:
        peer.sendall(_frame(HEADERS, END_HEADERS, 1, _call("/fleetlog.v1.IngestService/AppendEvents", token)))
    begun.set()
    ended.wait()


def pings(target: str, token: str, run: str, begun: Event, ended: Event) -> None:
    """Pings as fast as they go, on a new connection whenever one is closed."""
    flood = b"".join(_frame(PING, 0, 0, struct.pack(">Q", number)) for number in range(500))
    _flooded(target, lambda peer: peer.sendall(flood), begun, ended)


def resets(target: str, token: str, run: str, begun: Event, ended: Event) -> None:
    """Calls that are begun and reset, from an address that is nobody else's."""
    _resets(target, token, begun, ended, ELSEWHERE)


def resets_here(target: str, token: str, run: str, begun: Event, ended: Event) -> None:
    """Calls that are begun and reset, from the address of those who read."""
    _resets(target, token, begun, ended, "")


def _resets(target: str, token: str, begun: Event, ended: Event, source: str) -> None:
    call = _call("/fleetlog.v1.QueryService/GetRun", token)
    flood = b"".join(
        _frame(HEADERS, END_HEADERS, stream, call) + _frame(RST_STREAM, 0, stream, struct.pack(">I", 8))
        for stream in range(1, 200, 2)
    )
    _flooded(target, lambda peer: peer.sendall(flood), begun, ended, once=True, source=source)


def unread(target: str, token: str, run: str, begun: Event, ended: Event) -> None:
    """Reads of millions of points that nobody takes."""
    request = metric_pb2.ReadMetricRequest(namespace=NAMESPACE, run_ids=[run], keys=["long"])
    channels = [grpc.insecure_channel(target, OWN_POOL) for _ in range(8)]
    stubs = [query_pb2_grpc.QueryServiceStub(channel) for channel in channels]
    calls = [stubs[n % 8].ReadMetric(request, metadata=_metadata(token), timeout=600) for n in range(READERS)]
    begun.set()
    ended.wait()
    for call in calls:
        call.cancel()


def slow_writers(target: str, token: str, run: str, begun: Event, ended: Event) -> None:
    """Messages that come by the byte, on connections of their own."""
    peers = [_peer(target) for _ in range(WRITERS)]
    for peer in peers:
        peer.sendall(_frame(HEADERS, END_HEADERS, 1, _call("/fleetlog.v1.IngestService/AppendEvents", token)))
        peer.sendall(_frame(DATA, 0, 1, struct.pack(">BI", 0, 4_000_000)))
    begun.set()
    while not ended.wait(0.05):
        for peer in peers:
            with contextlib.suppress(OSError):
                peer.sendall(_frame(DATA, 0, 1, b"\0"))


def searches(target: str, token: str, run: str, begun: Event, ended: Event) -> None:
    """Searches one after another, by many at a time of one caller."""
    request = query_pb2.SearchRunsRequest(
        namespace=NAMESPACE, filter="max(metrics.loss WHERE step BETWEEN 0 AND 1000000) > 0", page_size=100
    )

    def ask() -> None:
        with grpc.insecure_channel(target, OWN_POOL) as channel:
            while not ended.is_set():
                with contextlib.suppress(grpc.RpcError):
                    query_pb2_grpc.QueryServiceStub(channel).SearchRuns(request, metadata=_metadata(token), timeout=60)

    threads = [threading.Thread(target=ask) for _ in range(SEARCHERS)]
    for thread in threads:
        thread.start()
    begun.set()
    for thread in threads:
        thread.join()


ATTACKS: dict[str, Attack] = {
    f"{IDLE:,} idle connections with a stream each": idle,
    "a flood of pings": pings,
    "a flood of resets": resets,
    "a flood of resets from the reader's address": resets_here,
    f"{READERS} reads of {POINTS:,} points that nobody takes": unread,
    f"{WRITERS} writers of a byte at a time": slow_writers,
    f"{SEARCHERS} searches at a time of one caller": searches,
}


@contextlib.contextmanager
def _under(attack: Attack, target: str, token: str, run: str) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    begun, ended = context.Event(), context.Event()
    process = context.Process(target=attack, args=(target, token, run, begun, ended), daemon=True)
    process.start()
    try:
        if not begun.wait(300):
            raise RuntimeError(f"{attack.__name__} did not begin")
        time.sleep(1.0)
        yield
    finally:
        ended.set()
        process.join(120)
        process.kill()


def _flooded(
    target: str,
    send: Callable[[socket.socket], None],
    begun: Event,
    ended: Event,
    *,
    once: bool = False,
    source: str = "",
) -> None:
    while not ended.is_set():
        with contextlib.suppress(OSError), _peer(target, source) as peer:
            begun.set()
            while not ended.is_set():
                send(peer)
                if once:
                    break


def _peer(target: str, source: str = "") -> socket.socket:
    host, _, port = target.rpartition(":")
    opened = socket.create_connection((host, int(port)), timeout=60, source_address=(source, 0) if source else None)
    opened.sendall(PREFACE + _frame(SETTINGS, 0, 0, b""))
    return opened


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _call(path: str, token: str) -> bytes:
    """Headers of a call, none of them compressed or indexed."""
    headers = (
        (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"), ("te", "trailers"),
        ("content-type", "application/grpc"), ("authorization", f"Bearer {token}"),
    )  # fmt: skip
    return b"".join(b"\0" + bytes([len(n)]) + n.encode() + bytes([len(v)]) + v.encode() for n, v in headers)


def _metadata(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


def _filled(server: Embedded, admin: str) -> tuple[str, str, str]:
    """Tokens of one who is good and of one who is not, and a run with a long series."""
    os.environ["FLEETLOG_TOKEN"] = admin
    client = fleetlog.Client(server.target, NAMESPACE)
    with fleetlog.start_run("attacks", target=server.target, namespace=NAMESPACE) as run:
        run.log({"loss": 1.0})
        for first in range(0, POINTS, 1_000_000):
            run.log_series("long", steps=np.arange(first, first + 1_000_000), values=np.random.random(1_000_000))
            run.flush(600)
        run.flush(600, level="applied")
    good, rude = (client.create_token(name, [f"writer@{NAMESPACE}"]).secret for name in ("good", "rude"))
    # Every process has read them by then.
    time.sleep(2.0)
    return good, rude, run.id


def _p95(channel: grpc.Channel, token: str, run: str) -> tuple[float, int]:
    """Seconds of the slowest calls, and how many were dropped, which a client makes again."""
    request = query_pb2.GetRunRequest(namespace=NAMESPACE, run_id=run)
    seconds, dropped = [], 0
    stub = query_pb2_grpc.QueryServiceStub(channel)
    for _ in range(CALLS):
        begun = time.perf_counter()
        try:
            stub.GetRun(request, metadata=_metadata(token), timeout=60)
        except grpc.RpcError:
            dropped += 1
        seconds.append(time.perf_counter() - begun)
    return quantile(seconds, 0.95), dropped


def _settle(pid: int) -> None:
    """Until the server has nothing to do, a minute at the most."""
    process = psutil.Process(pid)
    for _ in range(60):
        if process.cpu_percent(1.0) < 20:
            return


def _memory(pid: int) -> int:
    if Path(f"/proc/{pid}").exists():
        return int(psutil.Process(pid).memory_info().rss)
    raise RuntimeError("the server is gone")
