"""Streams between clients and gateways: in order each, late, broken, or silent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import grpc
from fleetlog._transport.calls_in_progress import UnderWay
from fleetlog._transport.connection import Connection
from fleetlog_proto.v1 import ingest_pb2

from simulation.kernel import Fiber, Kernel, Process
from simulation.threads import Lock
from simulation.weather import Condition, Weather

if TYPE_CHECKING:
    from simulation.gateway import Gateway
    from simulation.unary import Unary

_APART_SECONDS = 1e-6


class Broken(grpc.RpcError):
    """A call that ended, as gRPC tells it."""

    def __init__(self, code: grpc.StatusCode, details: str, trailing: Sequence[tuple[str, bytes]] = ()) -> None:
        super().__init__(details)
        self._found = (code, details, tuple(trailing))

    def code(self) -> grpc.StatusCode:
        """See grpc.Call."""
        return self._found[0]

    def details(self) -> str:
        """See grpc.Call."""
        return self._found[1]

    def trailing_metadata(self) -> tuple[Any, ...]:
        """See grpc.Call."""
        return self._found[2]


class Network:
    """Who can be reached."""

    def __init__(self, kernel: Kernel, weather: Weather) -> None:
        self.kernel = kernel
        self.weather = weather
        self.gateways: list[Gateway] = []
        self.calls: list[Call | Unary] = []

    def dial(self, client: Process) -> Gateway | None:
        """A gateway that takes calls; None: nobody answers."""
        if self.weather.has(Condition.UNREACHABLE, client.name):
            return None
        there = [one for one in self.gateways if one.process.alive]
        return self.kernel.random.choice(there) if there else None

    def way(self) -> float:
        """Seconds that a message takes."""
        return 0.0005 + self.kernel.random.random() * 0.01

    def cut(self, process: Process, *, silently: bool) -> None:
        """Break the calls of a process; `silently`: neither side is told."""
        for call in list(self.calls):
            if process is call.client or (call.gateway is not None and process is call.gateway.process):
                call.fail(silently=silently)


class Call:
    """AppendEvents: what gRPC gives to a client, and the way to its gateway and back."""

    def __init__(self, network: Network, client: Process, gateway: Gateway | None, requests: Iterator[Any]) -> None:
        self.client = client
        self.gateway = gateway
        self._network = network
        self._kernel = network.kernel
        self._requests = requests
        self._responses: deque[bytes] = deque()
        self._waiting: Fiber | None = None
        self._ended = False
        self._error: Broken | None = None
        self._callbacks: list[Callable[[], None]] = []
        self._silent = False
        self._there = self._back = 0.0
        if gateway is None:
            self._ended, self._error = True, Broken(grpc.StatusCode.UNAVAILABLE, "failed to connect")
            return
        network.calls.append(self)
        Fiber(client, self._send, "grpc")
        self._to_gateway(lambda: gateway.open(self))

    # -- the client's side

    def __iter__(self) -> Call:
        return self

    def __next__(self) -> ingest_pb2.AppendEventsResponse:
        while not self._responses:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopIteration
            self._waiting = self._kernel.fiber
            self._kernel.wait()
        return ingest_pb2.AppendEventsResponse.FromString(self._responses.popleft())

    def cancel(self) -> bool:
        """See grpc.Call."""
        if self._ended:
            return False
        self._end(Broken(grpc.StatusCode.CANCELLED, "Locally cancelled by application!"))
        if (gateway := self.gateway) is not None:
            self._to_gateway(lambda: gateway.hang_up(self))
        return True

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """See grpc.Call."""
        if self._ended:
            return False
        self._callbacks.append(callback)
        return True

    def _send(self) -> None:
        gateway = self.gateway
        for request in self._requests:
            if self._ended or gateway is None:
                return
            data = request.SerializeToString()
            self._to_gateway(lambda data=data: gateway.hear(self, data))  # type: ignore[misc]

    def _end(self, error: Broken | None) -> None:
        if self._ended:
            return
        self._ended, self._error = True, error
        if self in self._network.calls:
            self._network.calls.remove(self)
        if self._waiting is not None:
            self._kernel.wake(self._waiting)
        if self._callbacks and self.client.alive:
            callbacks, self._callbacks = self._callbacks, []

            def tell() -> None:
                for call in callbacks:
                    call()

            Fiber(self.client, tell, "grpc-ends")

    # -- the way

    def _to_gateway(self, arrive: Callable[[], None]) -> None:
        if self._silent or self.gateway is None:
            return
        now = self._kernel.now
        self._there = max(self._there + _APART_SECONDS, now + self._network.way())
        self._kernel.after(self._there - now, lambda: self._arrive(arrive), self.gateway.process)

    def _to_client(self, arrive: Callable[[], None]) -> None:
        if self._silent:
            return
        now = self._kernel.now
        self._back = max(self._back + _APART_SECONDS, now + self._network.way())
        self._kernel.after(self._back - now, lambda: self._arrive(arrive), self.client)

    def _arrive(self, arrive: Callable[[], None]) -> None:
        if not self._silent:
            arrive()

    def fail(self, *, silently: bool) -> None:
        """The connection is lost."""
        if silently:
            self._silent = True
            return
        gateway = self.gateway
        if gateway is not None and gateway.process.alive:
            self._kernel.after(self._network.way(), lambda: gateway.hang_up(self), gateway.process)
        error = Broken(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        self._kernel.after(self._network.way(), lambda: self._end(error), self.client)

    # -- the gateway's side

    def answer(self, data: bytes) -> None:
        """Send a response."""
        self._to_client(lambda: self._take(data))

    def finish(self, error: Broken | None) -> None:
        """End the call."""
        self._to_client(lambda: self._end(error))

    def _take(self, data: bytes) -> None:
        if not self._ended:
            self._responses.append(data)
            if self._waiting is not None:
                self._kernel.wake(self._waiting)


class _Stub:
    """The calls of IngestService that a delivery makes."""

    def __init__(self, connection: Dialed) -> None:
        self._connection = connection

    def AppendEvents(self, requests: Iterator[Any]) -> Call:  # noqa: N802
        """See the proto."""
        return self._connection.append_events(requests)


class Dialed(Connection):
    """A client's connection: positions and calls under way are the product's, the channel is the world's."""

    def __init__(self, network: Network, client: Process) -> None:
        self.target = "gateways"
        self.under_way = UnderWay()
        self.offsets = {}
        self.ingest = _Stub(self)  # type: ignore[assignment]
        self._lock = Lock()  # type: ignore[assignment]
        self._network = network
        self._client = client

    def append_events(self, requests: Iterator[Any]) -> Call:
        """Begin a stream. Broken, when it is read, where nobody answers."""
        return Call(self._network, self._client, self._network.dial(self._client), requests)

    def renew(self) -> None:
        """See Connection: each call dials anew."""

    def renew_if_certificates_changed(self) -> None:
        """See Connection."""

    def abandon(self, stream: Any) -> None:
        """See Connection."""
        if stream is not None:
            self.under_way.forget(stream)

    def close(self) -> None:
        """See Connection."""
