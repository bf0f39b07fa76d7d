"""The plan of a world, out of its number: who there is, what they do, and what fails when. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

STORM_SECONDS = 25.0
"""Faults begin within so many seconds; some time later everything is whole again."""


class Kind(StrEnum):
    """What fails. Where it is named, of a process or a machine."""

    KILL_GATEWAY = "a gateway dies"
    KILL_MATERIALIZER = "a materializer dies"
    KILL_TRAINER = "a trainer dies"
    KILL_SYNC = "a sync dies"
    POWER = "a trainer's machine loses power"
    LOG_AWAY = "the log is away"
    LOG_AMBIGUOUS = "the log takes and does not answer"
    LOG_SLOW = "the log is slow"
    LOG_HICCUPS = "the log fails for moments, again and again"
    WAREHOUSE_AWAY = "the warehouse is away"
    WAREHOUSE_AMBIGUOUS = "the warehouse may take and does not answer"
    WAREHOUSE_SLOW = "the warehouse is slow"
    CUT = "connections break"
    SILENCE = "connections fall silent"
    UNREACHABLE = "no server can be reached"
    PAUSE_MATERIALIZER = "a materializer stands still"
    PAUSE_GATEWAY = "a gateway stands still"
    PAUSE_TRAINER = "a trainer stands still"
    JOIN = "a materializer comes and goes"
    CLOCK = "a clock jumps"
    DISK_FULL = "a disk is full"
    DISK_BROKEN = "a disk can't sync"
    POISON = "a record that nobody can read"
    REFUSED = "a point that the warehouse can't hold"
    DRAIN = "a gateway is told to stop"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `where` counts those that it may happen to; `steps` is after how many waits a process dies."""

    at: float
    kind: Kind
    where: int
    seconds: float
    steps: int

    def __str__(self) -> str:
        return f"{self.at:6.2f} s  {self.kind}, number {self.where}, {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class Trainer:
    """What one training process does. `bad_rows`: steps with a key that no server takes."""

    machine: int
    runs: tuple[int, ...]
    """Numbers of the runs that it writes to."""
    begins: float
    steps: int
    pace_seconds: float
    flushes_locally: float
    """Share of steps behind which it waits for its disk."""
    bad_rows: float
    patience_seconds: float
    """How long it waits at its end; then it leaves its journal behind."""


@dataclass(frozen=True, slots=True)
class Namer:
    """What one process does that asks for names."""

    begins: float
    requests: int
    pace_seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is decided before a world begins."""

    seed: int
    trainers: tuple[Trainer, ...]
    gateways: int
    materializers: int
    partitions: int
    busy_seconds: float
    """The longest that a thread or a callback waits for a processor."""
    lost_seconds: float
    """Silence of its writers after which a run is lost."""
    log_seconds: float
    """The longest that a record is on its way to the log, while that is well."""
    machines: int
    segment_bytes: int
    """Size from which on a journal begins another file."""
    journal_bytes: int
    batch_weight: int
    outbox_bytes: int
    frames_in_flight: int
    """Frames from which on others wait, beyond `waiting_bytes` in the journal alone."""
    waiting_bytes: int
    faults: tuple[Fault, ...]
    namers: tuple[Namer, ...]

    def with_faults(self, faults: tuple[Fault, ...]) -> Plan:
        """Plan like this one, with other faults."""
        return replace(self, faults=faults)


THEMES: tuple[tuple[Kind, ...], ...] = (
    # Journals: nobody takes what is logged, and its process or machine ends.
    (
        Kind.POWER, Kind.KILL_TRAINER, Kind.KILL_SYNC, Kind.UNREACHABLE, Kind.LOG_AWAY, Kind.DISK_FULL,
        Kind.DISK_BROKEN, Kind.CUT,
    ),
    # Exactly once: batches are begun, and somebody else goes on with them.
    (
        Kind.KILL_MATERIALIZER, Kind.PAUSE_MATERIALIZER, Kind.JOIN, Kind.WAREHOUSE_AWAY, Kind.WAREHOUSE_AMBIGUOUS,
        Kind.WAREHOUSE_SLOW, Kind.LOG_HICCUPS, Kind.CUT,
    ),
    # Delivery: frames are on their way twice.
    (
        Kind.LOG_AMBIGUOUS, Kind.LOG_SLOW, Kind.LOG_HICCUPS, Kind.KILL_GATEWAY, Kind.PAUSE_GATEWAY, Kind.DRAIN,
        Kind.CUT, Kind.SILENCE, Kind.KILL_TRAINER,
    ),
)  # fmt: skip
"""Kinds that are worse together than each by itself."""
_PAUSES = (Kind.PAUSE_MATERIALIZER, Kind.PAUSE_GATEWAY, Kind.PAUSE_TRAINER)


def _fault(random: Random, kind: Kind) -> Fault:
    seconds = random.choice((0.5, 3.0, 12.0, 30.0)) * random.random()
    if kind in _PAUSES:
        # Some are just longer than others wait for a silent one.
        seconds = random.choice((1.0, 11.0, 14.0, 22.0)) + random.random() * 3.0
    return Fault(
        at=round(random.random() * STORM_SECONDS, 2),
        kind=kind,
        where=random.randrange(4),
        seconds=round(seconds, 2),
        steps=random.choice((0, random.randrange(60))),
    )


def _namers(random: Random) -> tuple[Namer, ...]:
    """Processes that ask for names: in some worlds none, in others several that ask for the same."""
    return tuple(
        Namer(
            begins=random.choice((0.0, random.random() * 10)),
            requests=random.randint(3, 15),
            pace_seconds=random.choice((0.02, 0.3, 1.0)),
        )
        for _ in range(random.choice((0, 0, 1, 2, 3)))
    )


def _time_of(fault: Fault) -> float:
    return fault.at


def plan_of(seed: int) -> Plan:
    """The plan of a number."""
    random = Random(f"plan {seed}")
    machines = random.randint(1, 2)
    trainers = tuple(
        Trainer(
            machine=random.randrange(machines),
            runs=random.choice(((0,), (1,), (0, 1))),
            begins=random.choice((0.0, random.random() * 15)),
            steps=random.randint(5, 40),
            pace_seconds=random.choice((0.02, 0.2, 0.8)),
            flushes_locally=random.choice((0.0, 0.1, 0.5)),
            bad_rows=random.choice((0.0, 0.05)),
            patience_seconds=random.choice((1.0, 30.0, 600.0)),
        )
        for _ in range(random.randint(1, 4))
    )
    # Many faults of few kinds: what one of them leaves half done, another meets.
    kinds = list(random.choice(THEMES)) if random.random() < 0.6 else list(Kind)
    likely = random.sample(kinds, random.randint(1, min(5, len(kinds))))
    faults = sorted((_fault(random, random.choice(likely)) for _ in range(random.randint(0, 14))), key=_time_of)
    return Plan(
        seed=seed,
        trainers=trainers,
        gateways=random.randint(1, 2),
        materializers=random.randint(1, 2),
        partitions=random.randint(1, 3),
        busy_seconds=random.choice((0.0, 0.002, 0.03)),
        lost_seconds=random.choice((12.0, 300.0)),
        log_seconds=random.choice((0.01, 0.2)),
        machines=machines,
        segment_bytes=random.choice((600, 4_000, 8 << 20)),
        journal_bytes=random.choice((3_000, 1 << 28, 1 << 28)),
        batch_weight=random.choice((3, 30, 800_000)),
        outbox_bytes=random.choice((1_500, 1 << 29, 1 << 29)),
        frames_in_flight=random.choice((2, 4_096)),
        waiting_bytes=random.choice((200, 16_000_000)),
        faults=tuple(faults),
        namers=_namers(Random(f"namers {seed}")),
    )
