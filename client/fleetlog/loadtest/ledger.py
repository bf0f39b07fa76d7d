"""What workers were told is durable, and what of it is there when it is read back. Pure.

durable     told so: has to be there, once, as it was logged
refused     told so, with a reason: must not be there
unanswered  sent, and no answer came: may be there or not
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields

SHOWN = 20
"""Maximum of single points that a report names."""


class Ledger:
    """What one worker sent and was told. Steps are 0, 1, 2, … in the order in which they were sent."""

    def __init__(self) -> None:
        self.sent = 0
        """Steps that were sent."""
        self.durable: list[range] = []
        """Steps that were acknowledged, in ranges that do not touch."""
        self.refused: list[range] = []
        """Steps that were refused, as `durable`."""
        self.files: dict[str, bytes] = {}
        """SHA-256 of files that were acknowledged, by path."""

    def note_sent(self, steps: range) -> None:
        """These steps, and all before them, are on their way. ValueError: out of order."""
        if steps.start != self.sent:
            raise ValueError(f"step {steps.start} is not the next one after {self.sent}")
        self.sent = steps.stop

    def note_durable(self, steps: range) -> None:
        """These were acknowledged."""
        _append(self.durable, steps)

    def note_refused(self, steps: range) -> None:
        """These were refused."""
        _append(self.refused, steps)

    @property
    def durable_steps(self) -> int:
        """Number of steps that were acknowledged."""
        return sum(map(len, self.durable))

    @property
    def refused_steps(self) -> int:
        """Number of steps that were refused."""
        return sum(map(len, self.refused))

    @property
    def unanswered_steps(self) -> int:
        """Number of steps of which nothing was said."""
        return self.sent - self.durable_steps - self.refused_steps


def _append(ranges: list[range], steps: range) -> None:
    if not steps:
        return
    if ranges and ranges[-1].stop == steps.start:
        ranges[-1] = range(ranges[-1].start, steps.stop)
    else:
        ranges.append(steps)


@dataclass
class Findings:
    """What reading back found. Points, but for files."""

    compared: int = 0
    """Points that were acknowledged and looked for."""
    lost: int = 0
    """Acknowledged, and not there."""
    twice: int = 0
    """There more than once: copies beyond the first."""
    wrong: int = 0
    """There with another value than was logged."""
    unsent: int = 0
    """There, and never sent, or refused."""
    files: int = 0
    """Files that were acknowledged and looked for."""
    lost_files: int = 0
    """Files that were acknowledged, and are not there or have other bytes."""
    named: list[str] = field(default_factory=list)
    """Some of them, in words."""

    @property
    def is_whole(self) -> bool:
        """True if everything that was acknowledged is there, once and as it was, and nothing else."""
        return not (self.lost or self.twice or self.wrong or self.unsent or self.lost_files)

    def add(self, other: Findings) -> None:
        """Add the findings of another worker, or another machine."""
        for one in fields(self):
            if one.name != "named":
                setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))
        self.named = (self.named + other.named)[:SHOWN]


def compare_series(
    ledger: Ledger, expected: Sequence[float], steps: Sequence[int], values: Sequence[float], where: str
) -> Findings:
    """What was read of one metric of one worker, beside what it logged: `expected` are the values of all sent steps."""
    found = Findings(compared=ledger.durable_steps)
    if list(steps) == list(range(ledger.sent)) and found.compared == ledger.sent and _same(values, expected):
        return found
    seen = Counter(steps)
    for step in _steps(ledger.durable):
        if not seen[step]:
            found.lost += 1
            _name(found, f"{where} step {step}: acknowledged and not there")
    refused = set(_steps(ledger.refused))
    for step, value in zip(steps, values, strict=True):
        if not 0 <= step < ledger.sent or step in refused:
            found.unsent += 1
            _name(found, f"{where} step {step}: there and never taken")
        elif value != expected[step]:
            found.wrong += 1
            _name(found, f"{where} step {step}: {value!r} is there, {expected[step]!r} was logged")
    for step, times in seen.items():
        if times > 1:
            found.twice += times - 1
            _name(found, f"{where} step {step}: there {times} times")
    return found


def compare_files(ledger: Ledger, there: Mapping[str, bytes], where: str) -> Findings:
    """SHA-256 of the files that are there by path, beside those that were acknowledged."""
    found = Findings(files=len(ledger.files))
    for path, digest in ledger.files.items():
        if there.get(path) != digest:
            found.lost_files += 1
            how = "has other bytes" if path in there else "is not there"
            _name(found, f"{where} file {path}: acknowledged and {how}")
    return found


def _same(values: Sequence[float], expected: Sequence[float]) -> bool:
    return array("d", values).tobytes() == array("d", expected).tobytes()


def _steps(ranges: Iterable[range]) -> Iterable[int]:
    for one in ranges:
        yield from one


def _name(found: Findings, text: str) -> None:
    if len(found.named) < SHOWN:
        found.named.append(text)
