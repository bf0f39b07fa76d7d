"""The materializer, over its engines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from fleetlog_core.decisions import Decisions
from fleetlog_core.log.port import CONTROL, Partition
from fleetlog_core.readers import Readers
from fleetlog_core.serving.server import GrpcServer
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.checkpoints import Checkpoints, loss
from fleetlog_core.warehouse.durability import Disk
from fleetlog_core.warehouse.port import (
    DatabaseMissing,
    Statement,
    TimedOut,
    WarehouseUnavailable,
)
from fleetlog_ingest.checkpointing import LONGEST_SECONDS, SERVER_SECONDS, Checkpointing
from fleetlog_ingest.materializer.loop.batching import BatchPolicy
from fleetlog_ingest.materializer.loop.loop import Materializer
from fleetlog_ingest.materializer.loop.lost_runs import LostRuns
from fleetlog_ingest.materializer.loop.recovery import WarehouseBehind

from fleetlog_deploy.engines import Engines
from fleetlog_deploy.parts.complaints import log_complaint, warehouse_complaint
from fleetlog_deploy.settings.model import MaterializerSettings

PROBE_SECONDS = 2.0
TURN_SECONDS = 120.0
"""A materializer's loop that does not come round for so long does not do its job."""


class MaterializerPart:
    """See Part. It serves nothing but health."""

    service = "fleetlog.v1.Materializer"
    services: tuple[str, ...] = (service,)

    def __init__(
        self,
        engines: Engines,
        telemetry: Telemetry,
        settings: MaterializerSettings,
        group: str,
        on_applied: Callable[[Partition, int], None],
        disk: Disk | None = None,
        readers: Readers | None = None,
        decisions: Decisions | None = None,
    ) -> None:
        """`readers`: all that there are of the tables, which are in this process then. `decisions`: those that this
        process waits for.
        """
        self._log, self._warehouse = engines.log, engines.warehouse
        self._is_watched = engines.generations is not None
        self._failed: Callable[[BaseException], None] = lambda error: None
        boot, sync = (disk.boot, disk.sync) if disk else ("", _is_on_disk)
        self._checkpoints = Checkpoints(engines.warehouse, boot, sync) if engines.has_checkpoints else None
        self._checkpointing: Checkpointing | None = None

        def applied(partition: Partition, next_offset: int) -> None:
            on_applied(partition, next_offset)
            if self._checkpointing is not None:
                self._checkpointing.poke()

        self._materializer = Materializer(
            engines.log,
            engines.warehouse,
            engines.objects,
            group=group,
            on_applied=applied,
            telemetry=telemetry,
            policy=BatchPolicy(
                target_weight=settings.batch_rows,
                max_wait_seconds=settings.batch_wait_seconds,
                unread_rest_seconds=settings.unread_rest_seconds,
            ),
            readers=readers,
            decisions=decisions,
            lost_runs=LostRuns(
                engines.log, engines.warehouse, settings.lost_seconds_by, look_seconds=settings.look_seconds
            ),
        )
        self._thread: threading.Thread | None = None

    def register(self, server: GrpcServer) -> None:
        """See Part."""
        server.add(lambda inner: None, self.service)

    def start(self, failed: Callable[[BaseException], None]) -> None:
        """See Part."""

        def work() -> None:
            try:
                self._materializer.run()
            except BaseException as error:  # told by whoever runs the process
                failed(error)

        self._failed = failed
        if self._checkpoints is not None:
            seconds = SERVER_SECONDS if self._is_watched else LONGEST_SECONDS
            self._checkpointing = Checkpointing(self._checkpoints, failed, longest_seconds=seconds)
            self._checkpointing.start()
        self._thread = threading.Thread(target=work, name="materializer", daemon=True)
        self._thread.start()

    def complaint(self) -> str:
        """See Part."""
        if self._thread is None or not self._thread.is_alive():
            return "the materializer does not run"
        if self._is_watched and (lost := self._look_for_losses()):
            return lost
        if outage := self._materializer.outage():
            return outage
        if self._materializer.idle_seconds() > TURN_SECONDS:
            return f"the materializer has not come round for more than {TURN_SECONDS:.0f} s"
        return warehouse_complaint(self._warehouse) or log_complaint(
            lambda: self._log.next_offset(Partition(CONTROL, 0))
        )

    def degraded(self) -> str:
        """See Part: artifacts that wait for their store."""
        return self._materializer.degraded()

    def drain(self) -> None:
        """See Part: as long as others may write, it goes on."""

    async def stop(self) -> None:
        """See Part. A batch that is under way is finished, or done again by the next member."""
        self._materializer.stop()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 60.0)
        if self._checkpointing is not None:
            await asyncio.to_thread(self._checkpointing.close)

    def _look_for_losses(self) -> str:
        """What a server's tables lost, while inserts may fail for that very reason; the part has failed then."""
        try:
            # One that hangs is told by those who come after, whose looks are as short.
            self._warehouse.select(Statement("SELECT 1 AS one"), timeout_seconds=PROBE_SECONDS)
            reason = loss(self._warehouse, boot="")
        except DatabaseMissing:
            reason = "its database is gone"
        except (WarehouseUnavailable, TimedOut, ValueError):
            return ""
        if reason:
            self._failed(WarehouseBehind(f"the warehouse lost rows: {reason}"))
        return reason


def _is_on_disk() -> None:
    """A ClickHouse server has it there when an insert returns."""
