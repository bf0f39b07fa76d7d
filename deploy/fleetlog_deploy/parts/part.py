"""What every part of fleetlog does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fleetlog_core.serving.server import GrpcServer


class Part(Protocol):
    """One of the three. All is called from the event loop, but for `complaint`."""

    service: str
    """Full name of its gRPC service; its health is told under this name."""
    services: tuple[str, ...]
    """Full names of all that it serves, the one above first: their health is its health."""

    def register(self, server: GrpcServer) -> None:
        """Add what it serves, before the server starts."""
        ...

    def start(self, failed: Callable[[BaseException], None]) -> None:
        """Begin. `failed` is called, from any thread, when it can't go on and needs a person."""
        ...

    def complaint(self) -> str:
        """Why it can't do its job; empty when it can. Blocks for as long as engines take to answer."""
        ...

    def degraded(self) -> str:
        """What it can't do for the time being, though its job it can; empty when it can do all. Does not block."""
        ...

    def drain(self) -> None:
        """Take nothing new; end what would not end by itself."""
        ...

    async def stop(self) -> None:
        """End, when the server has stopped."""
        ...
