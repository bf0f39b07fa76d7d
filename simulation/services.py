"""Processes that begin anew when they die: materializers, and `fleetlog sync` on each machine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from fleetlog._delivery.redelivery import Redelivery
from fleetlog._journal.folders import Folder, waiting
from fleetlog.errors import FleetlogError
from fleetlog_core.log.port import LogUnavailable
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_ingest.materializer.loop.batching import BatchPolicy
from fleetlog_ingest.materializer.loop.loop import Materializer
from fleetlog_ingest.materializer.loop.lost_runs import LostRuns

from simulation.broker import Broker
from simulation.clocks import wall
from simulation.disk import Machine
from simulation.kernel import Fiber, Process
from simulation.log import ProcessLog
from simulation.network import Dialed, Network
from simulation.oracle import Oracle
from simulation.refusals import hear_refusals
from simulation.tables import Tables
from simulation.warehouse import ProcessWarehouse

SYNC_PATIENCE_SECONDS = 8.0
SYNC_PAUSE_SECONDS = 3.0


class Folding:
    """One materializer; it ends with its process, or when it is told to."""

    def __init__(
        self, process: Process, broker: Broker, tables: Tables, telemetry: Telemetry, batch_weight: int,
        lost_seconds: float, group: str = "materializer",
    ) -> None:  # fmt: skip
        self.process = process
        log, warehouse = ProcessLog(broker, process), ProcessWarehouse(tables, process, broker.weather)
        policy = BatchPolicy(target_weight=batch_weight, max_weight=2 * batch_weight)
        # No world has artifacts by now.
        objects = cast(Any, None)
        self._materializer: Materializer | None = None

        def work() -> None:
            lost = LostRuns(log, warehouse, lambda namespace: lost_seconds, wall, lost_seconds / 4)
            made = self._materializer = Materializer(
                log, warehouse, objects, group=group, telemetry=telemetry, policy=policy, lost_runs=lost
            )
            made.run()

        Fiber(process, work, "materializer")

    def stop(self) -> None:
        """End it in order."""
        if self._materializer is not None:
            self._materializer.stop()


class Syncing:
    """What delivers the journals of dead processes of one machine, again and again."""

    def __init__(
        self, process: Process, machine: Machine, network: Network, oracle: Oracle, is_over: Callable[[], bool]
    ) -> None:
        self.process = process
        self._oracle = oracle
        self._machine = machine
        self._network = network
        self._is_over = is_over
        Fiber(process, self._work, "sync")

    def _work(self) -> None:
        kernel = self.process.kernel
        while not self._is_over():
            kernel.sleep(kernel.random.random() * SYNC_PAUSE_SECONDS)
            for path in waiting(self._machine.root):
                with suppress(OSError):
                    folder = Folder.take(path)
                    if folder is not None:
                        self._deliver(folder)

    def _deliver(self, folder: Folder) -> None:
        kernel, name = self.process.kernel, self.process.name
        self.process.at_kill.append(folder.release)
        kernel.history.add(name, f"takes {folder.path.name[:26]}")
        redelivery = Redelivery(folder, Dialed(self._network, self.process), SYNC_PATIENCE_SECONDS)
        hear_refusals(redelivery._refusals, self._oracle)
        try:
            report = redelivery.run()
            told = self._machine.words("; ".join(report.problems))
            kernel.history.add(name, f"has delivered {report.frames} frames; {told}")
        except (FleetlogError, OSError, LogUnavailable) as error:
            kernel.history.add(name, f"gives up for now: {self._machine.words(str(error))[:80]}")
        finally:
            folder.release()
