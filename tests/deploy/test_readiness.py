"""When a process says that it is ready, after it was not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from fleetlog_core.applied import AppliedWatch
from fleetlog_core.serving.server import GrpcServer
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_deploy import node as node_module
from fleetlog_deploy.engines import Engines
from fleetlog_deploy.node import Node
from fleetlog_deploy.settings.model import LogSettings, ServerSettings, Settings, WarehouseSettings

from tests.warehouses import Untouched

SECONDS = 60.0


class Starting:
    """A part that can't do its job at the first looks."""

    service = "fleetlog.v1.Starting"
    services: tuple[str, ...] = (service,)

    def __init__(self, complaints: int) -> None:
        self._complaints = complaints
        self.looks = 0
        self.ready = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def register(self, server: GrpcServer) -> None:
        server.add(lambda inner: None, self.service)

    def start(self, failed: Callable[[BaseException], None]) -> None:
        """Nothing of it runs."""

    def complaint(self) -> str:
        self.looks += 1
        if self.looks <= self._complaints:
            return "the log does not answer: not yet"
        self._loop.call_soon_threadsafe(self.ready.set)
        return ""

    def degraded(self) -> str:
        return ""

    def drain(self) -> None:
        """Nothing is under way."""

    async def stop(self) -> None:
        """Nothing runs."""


async def _looks_until_ready(complaints: int) -> int:
    """Number of looks at a part that complains at so many of them."""
    settings = Settings(
        server=ServerSettings(port=0),
        log=LogSettings(url="sqlite:/nowhere"),
        warehouse=WarehouseSettings(url="chdb:/nowhere"),
    )
    telemetry, part = Telemetry(), Starting(complaints)
    node = Node(settings, telemetry, Engines(settings, telemetry), [part], AppliedWatch(Untouched()))
    await node.start()
    try:
        assert bool(node.complaint()) == bool(complaints)
        async with asyncio.timeout(SECONDS):
            await part.ready.wait()
        return part.looks
    finally:
        await node.stop(0.0)


@pytest.mark.parametrize("complaints", [0, 1, 5])
def test_who_waits_until_a_process_is_ready_does_not_wait_for_the_looks_of_quiet_times(
    monkeypatch: pytest.MonkeyPatch, complaints: int
) -> None:
    monkeypatch.setattr(node_module, "LOOK_EVERY_SECONDS", 10 * SECONDS)
    monkeypatch.setattr(node_module, "LOOK_AGAIN_SECONDS", 0.001)
    assert asyncio.run(_looks_until_ready(complaints)) == complaints + 1
