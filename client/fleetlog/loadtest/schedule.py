"""When each worker starts and logs, and which workers are of which machine. Pure: times are seconds of the load."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from fleetlog_core.errors import InvalidArgument, shown

from fleetlog.loadtest.profile import Profile

MAX_SHARES = 1_000
_SHARE = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")


@dataclass(frozen=True)
class Share:
    """A machine's part of a load: number `number` of `of`, from 1. Whole runs, so that no run is of two machines."""

    number: int = 1
    of: int = 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def has(self, run: int) -> bool:
        """True if the run of this number is of this machine."""
        return run % self.of == self.number - 1


def share_of(text: str) -> Share:
    """The share that a text such as 2/4 names. InvalidArgument."""
    parts = _SHARE.fullmatch(text.strip())
    if parts is None or not 1 <= int(parts[1]) <= int(parts[2]) <= MAX_SHARES:
        raise InvalidArgument.of_field(
            "SHARE_INVALID", "share", f"{shown(text)} is no share such as 2/4: a number from 1, of 1 to {MAX_SHARES:,}"
        )
    return Share(int(parts[1]), int(parts[2]))


@dataclass(frozen=True)
class Place:
    """A worker's place in a load."""

    number: int
    """Its number, from 0, among the workers of all machines."""
    run: int
    """Number of its run."""
    rank: int | None
    """Its place among the writers of the run; None: it is the only one."""
    starts: float
    """Seconds of the load at which it starts, and logs its first step."""


def places(profile: Profile, share: Share) -> Iterator[Place]:
    """The workers of a share, in the order in which they start."""
    for number in range(profile.workers):
        run, rank = divmod(number, profile.ranks)
        if share.has(run):
            # A second of a load without a ramp has all phases of a period too: workers of a fleet are not in step.
            spread = profile.ramp_seconds or min(1.0 / profile.steps_per_second, profile.seconds)
            yield Place(number, run, rank if profile.ranks > 1 else None, spread * number / profile.workers)


def end_of(profile: Profile) -> float:
    """Seconds of the load after which nothing is logged."""
    return profile.ramp_seconds + profile.seconds


def due(profile: Profile, place: Place, step: int) -> float:
    """Seconds of the load at which a step is logged; infinite behind the last one."""
    when = place.starts + step / profile.steps_per_second
    return when if when < end_of(profile) else math.inf


def has_file(profile: Profile, step: int) -> bool:
    """True if a worker logs a file with the step: the first ones come with the first steps, at even distances."""
    if not profile.artifacts:
        return False
    steps = max(1, int(profile.seconds * profile.steps_per_second))
    every = max(1, steps // profile.artifacts)
    return step % every == 0 and step // every < profile.artifacts
