"""The faults of a plan, done to a world when their time comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from fleetlog_core.log.port import CONTROL, EVENTS

from simulation.kernel import Process
from simulation.plan import Fault, Kind
from simulation.weather import Condition

if TYPE_CHECKING:
    from simulation.world import World

_WEATHER: Mapping[Kind, Condition] = {
    Kind.LOG_AWAY: Condition.LOG_AWAY,
    Kind.LOG_AMBIGUOUS: Condition.LOG_AMBIGUOUS,
    Kind.LOG_SLOW: Condition.LOG_SLOW,
    Kind.WAREHOUSE_AWAY: Condition.WAREHOUSE_AWAY,
    Kind.WAREHOUSE_AMBIGUOUS: Condition.WAREHOUSE_AMBIGUOUS,
    Kind.WAREHOUSE_SLOW: Condition.WAREHOUSE_SLOW,
}
_OF_DISKS: Mapping[Kind, Condition] = {
    Kind.DISK_FULL: Condition.DISK_FULL,
    Kind.DISK_BROKEN: Condition.DISK_BROKEN,
}


MOST_WAITS = 14
"""Waits of the inserts of a batch of names, about."""


class Storm:
    """The faults of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._kernel = world.kernel
        self._does: Mapping[Kind, Callable[[Fault], None]] = {
            Kind.KILL_GATEWAY: lambda fault: self._kill(fault, self._gateways()),
            Kind.KILL_MATERIALIZER: self._kill_materializer,
            Kind.KILL_TRAINER: lambda fault: self._kill(fault, self._trainers()),
            Kind.KILL_SYNC: lambda fault: self._kill(fault, [one.process for one in world.syncs.values()]),
            Kind.POWER: self._lose_power,
            Kind.CUT: lambda fault: self._cut(fault, silently=False),
            Kind.SILENCE: lambda fault: self._cut(fault, silently=True),
            Kind.UNREACHABLE: self._unreachable,
            Kind.PAUSE_MATERIALIZER: lambda fault: self._pause(fault, self._materializers()),
            Kind.PAUSE_GATEWAY: lambda fault: self._pause(fault, self._gateways()),
            Kind.PAUSE_TRAINER: lambda fault: self._pause(fault, self._trainers()),
            Kind.JOIN: lambda fault: world.begin_guest(fault.seconds + 1.0),
            Kind.CLOCK: self._set_clock,
            Kind.LOG_HICCUPS: self._hiccup,
            Kind.POISON: self._poison,
            Kind.REFUSED: self._refuse,
            Kind.DRAIN: self._drain,
        }
        for fault in world.plan.faults:
            self._kernel.after(fault.at, lambda fault=fault: self._do(fault))  # type: ignore[misc]

    def _do(self, fault: Fault) -> None:
        self._kernel.history.add("FAULT", f"{fault.kind}, number {fault.where}, {fault.seconds:.1f} s")
        if fault.kind in _WEATHER:
            self._while(_WEATHER[fault.kind], "", fault.seconds)
        elif fault.kind in _OF_DISKS:
            machines = self._world.machines
            self._while(_OF_DISKS[fault.kind], machines[fault.where % len(machines)].name, fault.seconds)
        else:
            self._does[fault.kind](fault)

    def _while(self, condition: Condition, where: str, seconds: float) -> None:
        weather = self._world.weather
        weather.begin(condition, where)
        self._kernel.after(seconds, lambda: weather.end(condition, where))

    def _hiccup(self, fault: Fault) -> None:
        """Fail at moments: while appends are under way, and for some milliseconds a few times a second.

        What is under way fails, and what comes behind it does not.
        """
        random, end = self._kernel.random, self._kernel.now + fault.seconds
        self._while(Condition.LOG_BLINKS, "", fault.seconds)

        def hiccup() -> None:
            condition = random.choice((Condition.LOG_AWAY, Condition.LOG_AMBIGUOUS))
            self._while(condition, "", 0.002 + random.random() * 0.02)
            if self._kernel.now < end:
                self._kernel.after(random.random() * 0.4, hiccup)

        hiccup()

    def _gateways(self) -> Sequence[Process]:
        return [one.process for one in self._world.network.gateways]

    def _materializers(self) -> Sequence[Process]:
        return [one.process for one in self._world.foldings.values()]

    def _trainers(self) -> Sequence[Process]:
        return [one.process for one in self._world.trainings]

    def _kill(self, fault: Fault, among: Sequence[Process]) -> None:
        """Let one die after some steps of its threads: amid whatever it does then."""
        if among and (process := among[fault.where % len(among)]).alive:
            process.fuse = fault.steps

    def _kill_materializer(self, fault: Fault) -> None:
        """Where names are asked for, some die amid a batch of them: there are few, between many of events."""
        among = self._materializers()
        if self._world.plan.namers and not fault.steps and among:
            among[fault.where % len(among)].fuses[CONTROL] = self._kernel.random.randrange(MOST_WAITS)
        else:
            self._kill(fault, among)

    def _lose_power(self, fault: Fault) -> None:
        world = self._world
        place = fault.where % len(world.machines)
        for training in world.trainings:
            if training.machine is world.machines[place]:
                training.process.kill()
        world.syncs[place].process.kill()
        world.machines[place].lose_power()

    def _cut(self, fault: Fault, *, silently: bool) -> None:
        among = [*self._trainers(), *self._gateways()]
        self._world.network.cut(among[fault.where % len(among)], silently=silently)

    def _unreachable(self, fault: Fault) -> None:
        process = self._trainers()[fault.where % len(self._world.trainings)]
        self._while(Condition.UNREACHABLE, process.name, fault.seconds)
        self._world.network.cut(process, silently=fault.steps > 0)

    def _pause(self, fault: Fault, among: Sequence[Process]) -> None:
        if among:
            among[fault.where % len(among)].pause(fault.seconds)

    def _set_clock(self, fault: Fault) -> None:
        among = [*self._trainers(), *self._gateways(), *self._materializers()]
        among[fault.where % len(among)].wall_offset = -3600.0 if fault.steps else 86_400.0

    def _refuse(self, fault: Fault) -> None:
        self._world.trainings[fault.where % len(self._world.trainings)].refused_next = True

    def _drain(self, fault: Fault) -> None:
        """As at an upgrade: it ends its streams, and then itself."""
        gateways = self._world.network.gateways
        if gateways:
            gateway = gateways[fault.where % len(gateways)]
            gateway.drain()
            self._kernel.after(min(fault.seconds, 10.0), gateway.process.kill)

    def _poison(self, fault: Fault) -> None:
        key = self._world.runs[fault.where % len(self._world.runs)]
        self._world.broker.write(EVENTS, key, b"\xff\xff not a frame")
