"""Calls with one request and one answer: late, broken, or never answered."""

from __future__ import annotations

from collections.abc import Callable

import grpc

from simulation.executors import Result
from simulation.kernel import Process
from simulation.network import Broken, Network


class Unary:
    """One call of a client, to whichever gateway it reaches."""

    def __init__(self, network: Network, client: Process) -> None:
        self.client = client
        self.gateway = network.dial(client)
        self._network = network
        self._done = Result()
        self._silent = False

    def ask(self, method: str, data: bytes, seconds: float) -> bytes:
        """Returns the answer, for which the running thread waits at most so long. Broken."""
        gateway = self.gateway
        if gateway is None:
            raise Broken(grpc.StatusCode.UNAVAILABLE, "failed to connect")
        self._network.calls.append(self)
        self._carry(lambda: gateway.ask(self, method, data, seconds), gateway.process)
        try:
            answer: bytes = self._done.result(seconds)
        except TimeoutError:
            raise Broken(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded") from None
        finally:
            self._network.calls.remove(self)
        return answer

    def answer(self, data: bytes) -> None:
        """Send the answer back."""
        self._carry(lambda: self._end(data), self.client)

    def finish(self, error: Broken) -> None:
        """Send an error back."""
        self._carry(lambda: self._end(error), self.client)

    def fail(self, *, silently: bool) -> None:
        """The connection is lost."""
        if not silently:
            self.finish(Broken(grpc.StatusCode.UNAVAILABLE, "Socket closed"))
        self._silent = True

    def _carry(self, arrive: Callable[[], None], process: Process) -> None:
        if not self._silent:
            self._network.kernel.after(self._network.way(), arrive, process)

    def _end(self, found: bytes | Broken) -> None:
        if self._done.done():
            return
        if isinstance(found, Broken):
            self._done.set_exception(found)
        else:
            self._done.set_result(found)
