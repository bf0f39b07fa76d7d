"""One world: everything of a plan, from its begin until it is whole again and at rest."""

from __future__ import annotations

import gc
import shutil
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from fleetlog._delivery import delivery, stream_frames
from fleetlog._delivery.outbox import BUFFER_FULL
from fleetlog._journal import segments
from fleetlog._journal.folders import below
from fleetlog._journal.folders import segments as segments_of
from fleetlog_core.ids import new_run_id
from fleetlog_core.serving.telemetry import Telemetry

from simulation import kernel as kernels
from simulation.broker import Broker
from simulation.disk import Machine
from simulation.gateway import Gateway
from simulation.history import History
from simulation.installed import installed
from simulation.kernel import EPOCH_SECONDS, Fiber, Kernel, Process, Stuck
from simulation.naming import Naming
from simulation.network import Network
from simulation.oracle import Oracle
from simulation.plan import STORM_SECONDS, Kind, Plan
from simulation.reader import Reader
from simulation.rebuild import COMPARED, COMPARED_NAMES, folded_anew, folded_rows, unapplied
from simulation.services import Folding, Syncing
from simulation.storm import Storm
from simulation.tables import Row, Tables
from simulation.trainer import Training
from simulation.weather import Weather

REST_SECONDS = 900.0
"""Time of a world after which it has to be at rest."""
MOST_EVENTS = 100_000
RESTART_SECONDS = 3.0
STALLS = 0.02
LOSES = (Kind.POWER, Kind.DISK_FULL, Kind.DISK_BROKEN)
"""Faults by which events may be gone between others of their writer."""
_FAST = Path("/dev/shm")  # noqa: S108
_telemetry: list[Telemetry] = []


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a world. `failure`: the first promise that was broken; empty: none was."""

    plan: Plan
    failure: str
    digest: str
    history: History
    checks: int
    events: int
    seconds: float
    trace: str = ""


class World:
    """One world. Made and run within `installed`."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        history = History()
        random = Random(f"world {plan.seed}")
        self.plan = plan
        self.kernel = Kernel(random, history)
        self.kernel.busy_seconds = plan.busy_seconds
        history.clock = lambda: self.kernel.now
        kernels.begin(self.kernel)
        self._telemetry = _telemetry[0] if _telemetry else Telemetry()
        _telemetry[:] = [self._telemetry]
        self.weather = Weather()
        self.oracle = Oracle(self.kernel)
        # A journal that is full leaves out what comes then, and takes what is smaller behind it.
        is_full = plan.journal_bytes < 1 << 20
        self.oracle.may_lack = is_full or any(fault.kind in LOSES for fault in plan.faults)
        self.broker = Broker(self.kernel, self.weather, plan.partitions, plan.log_seconds, self.oracle.logged)
        self.tables = Tables(history, self.oracle.inserted, self._refuses)
        self.network = Network(self.kernel, self.weather)
        self.machines = [self._machine(folder, number) for number in range(plan.machines)]
        self.runs = [new_run_id(int(EPOCH_SECONDS * 1000) + place, random.randbytes(10)) for place in range(2)]
        self._values = count(1)
        self.reader = Reader(Process(self.kernel, "query"), self.tables, self.weather)
        for number in range(plan.gateways):
            self._begin_gateway(number)
        self.foldings: dict[int, Folding] = {}
        for number in range(plan.materializers):
            self._begin_folding(number)
        self.syncs: dict[int, Syncing] = {}
        self.trainings = [self._training(number) for number in range(len(plan.trainers))]
        self.namings = [
            Naming(Process(self.kernel, f"namer-{number}"), namer, self.network, self.oracle.names)
            for number, namer in enumerate(plan.namers)
        ]
        for number in range(plan.machines):
            self._begin_sync(number)
        self._is_over = False
        self._guests = count(1)
        Storm(self)
        self.kernel.after(STORM_SECONDS, self._look)

    # -- who there is

    def _machine(self, folder: Path, number: int) -> Machine:
        root = folder / f"machine-{number}"
        root.mkdir(parents=True)
        return Machine(self.kernel, self.weather, f"machine-{number}", root)

    def _training(self, number: int) -> Training:
        plan = self.plan.trainers[number]
        return Training(
            Process(self.kernel, f"trainer-{number}", STALLS), number, plan, [self.runs[run] for run in plan.runs],
            self.machines[plan.machine], self.network, self.oracle, self.reader, self._values,
            self.plan.outbox_bytes, self.plan.journal_bytes,
        )  # fmt: skip

    def _begin_gateway(self, number: int) -> None:
        process = Process(self.kernel, f"gateway-{number}")
        gateway = Gateway(process, self.broker, self.tables, self._telemetry, self.plan.lost_seconds)
        self.network.gateways.append(gateway)

        def died() -> None:
            self.network.gateways.remove(gateway)
            self.network.cut(process, silently=self.kernel.random.random() < 0.2)
            self._again(lambda: self._begin_gateway(number))

        process.at_kill.append(died)

    def _begin_folding(self, number: int) -> None:
        process = Process(self.kernel, f"materializer-{number}")
        self.foldings[number] = Folding(
            process, self.broker, self.tables, self._telemetry, self.plan.batch_weight, self.plan.lost_seconds
        )
        process.at_kill.append(lambda: self._again(lambda: self._begin_folding(number)))

    def begin_guest(self, seconds: float) -> None:
        """A materializer more joins the group, and leaves it."""
        process = Process(self.kernel, f"guest-{next(self._guests)}")
        guest = Folding(
            process, self.broker, self.tables, self._telemetry, self.plan.batch_weight, self.plan.lost_seconds
        )

        def stop() -> None:
            Fiber(process, guest.stop, "stop")

        self.kernel.after(seconds, stop, process)

    def _begin_sync(self, number: int) -> None:
        process = Process(self.kernel, f"sync-{number}", STALLS)
        self.syncs[number] = Syncing(process, self.machines[number], self.network, self.oracle, lambda: self._is_over)
        process.at_kill.append(lambda: self._again(lambda: self._begin_sync(number)))

    def _again(self, begin: object) -> None:
        if not self._is_over and callable(begin):
            self.kernel.after(self.kernel.random.random() * RESTART_SECONDS, begin)

    def _refuses(self, table: str, rows: list[Row]) -> bool:
        refused = self.oracle.refused
        return bool(refused) and table == "points" and any(row["value"] in refused for row in rows)

    # -- its end

    def _look(self) -> None:
        """Whether it is at rest; looked at again and again."""
        if self._is_at_rest():
            self._is_over = True
        else:
            self.kernel.after(2.0, self._look)

    def waits_for(self) -> list[str]:
        """What is not at rest, in words."""
        busy: list[Training | Naming] = [*self.trainings, *self.namings]
        found = [one.process.name for one in busy if not one.has_ended and one.process.alive]
        found += [path.name for machine in self.machines for path in below(machine.root) if segments_of(path)]
        return found + unapplied(self.broker, self.tables)

    def _is_at_rest(self) -> bool:
        return self.kernel.now > STORM_SECONDS + 31.0 and not self.waits_for()

    def run(self) -> None:
        """Let it happen."""
        if not self.kernel.run(REST_SECONDS, lambda: self._is_over, MOST_EVENTS):
            self.kernel.broke(f"no rest after {REST_SECONDS:.0f} s: {', '.join(self.waits_for())[:300]}")
        if self.kernel.failures:
            return
        self.oracle.settle({one.number for one in self.trainings if one.is_delivered})
        for one in self.trainings:
            for writer, lost in one.lost_points.items() if one.is_delivered else ():
                told = self.oracle.told_points((writer.run_id, writer.writer_id), BUFFER_FULL)
                self.oracle.same(f"lost points of {one.process.name}, told and counted,", told, lost)
        self._read_all()
        if not self.kernel.failures:
            self._fold_anew()

    def _read_all(self) -> None:
        """What a reader sees who has everybody's position."""
        done: list[bool] = []

        def read() -> None:
            for training in self.trainings:
                found = self.reader.read(training.connection.position(), 60.0)
                if found is None:
                    self.kernel.broke(f"the position of trainer {training.number} is never reached (4)")
                    return
                self.oracle.read(set(), training.durable, found)
            done.append(True)

        Fiber(self.reader.process, read, "last")
        self.kernel.run(self.kernel.now + 120.0, lambda: bool(done), MOST_EVENTS)

    def _fold_anew(self) -> None:
        anew = folded_anew(self.kernel, self.broker, self._telemetry, self._refuses)
        if anew is not None:
            # Of a record that is refused some tables have rows, others not, by which piece of a batch it was in.
            for table in COMPARED if not self.oracle.refused else ("points", "run_homes", *COMPARED_NAMES):
                self.oracle.same(table, folded_rows(self.tables, table), folded_rows(anew, table))

    def close(self) -> None:
        """Let everything go."""
        self._is_over = True
        for process in self.kernel.processes:
            process.end()
        kernels.end()


@contextmanager
def _limits(plan: Plan) -> Iterator[None]:
    """Have limits of the product that a short world reaches."""
    limits: tuple[tuple[Any, str, int], ...] = (
        (segments, "SEGMENT_BYTES", plan.segment_bytes),
        (stream_frames, "SMALL_FRAMES_IN_FLIGHT", plan.frames_in_flight),
        (delivery, "WAITING_BYTES", plan.waiting_bytes),
    )
    before = [(module, name, getattr(module, name)) for module, name, _ in limits]
    try:
        for module, name, value in limits:
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def run_world(plan: Plan) -> Outcome:
    """Run the world of a plan."""
    folder = Path(tempfile.mkdtemp(prefix="simulation-", dir=_FAST if _FAST.is_dir() else None))
    gc.disable()
    world = None
    trace = ""
    try:
        with installed(Random(f"jitter {plan.seed}")), _limits(plan):
            world = World(plan, folder)
            try:
                world.run()
            except Stuck as error:
                world.kernel.broke(str(error))
            except Exception as error:
                world.kernel.broke(f"the world ended by {error!r}", error)
            trace = "".join("".join(traceback.format_exception(error)) for error in world.kernel.errors)
            world.close()
        history, kernel = world.kernel.history, world.kernel
        failure = kernel.failures[0] if kernel.failures else ""
        return Outcome(
            plan, failure, history.digest(), history, world.oracle.checks, kernel.happened, kernel.now, trace
        )  # fmt: skip
    finally:
        del world
        gc.enable()
        shutil.rmtree(folder, ignore_errors=True)
