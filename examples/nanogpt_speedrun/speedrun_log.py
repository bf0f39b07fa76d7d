"""The grammar of the speedrun's logs, pure.

A line is `name:value[unit]` pairs. The first pair is the step (`step:125/1770`, `s:250`; what follows the slash is
the planned last step). Of the others, a number gives a point, its unit beside it; a value that is not a number is
text. Names are whatever stands before the colon.

    step:125/1770 val_loss:4.3 train_time:17862ms step_avg:142.9ms
    s:0 trl:11.0 lr:0.0001 norm:13.2
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

PAIR = re.compile(r"([^\s:]+):(?:[ \t]+(?=[^\s:]+(?:\s|$)))?(\S*)")
NUMBER = re.compile(
    r"([+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|nan|inf(?:inity)?))(.*)", re.IGNORECASE
)
STEP = re.compile(r"([+-]?\d{1,19})(?:/(\d{1,19}))?")
MILLIS = {
    "ns": 1e-6, "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "ms": 1.0, "msec": 1.0,
    "s": 1e3, "sec": 1e3, "m": 6e4, "min": 6e4, "h": 3.6e6, "hr": 3.6e6, "d": 8.64e7,
}  # fmt: skip
"""Milliseconds in one of each unit of time."""
LAST_STEP = (1 << 63) - 1
LONGEST_MILLIS = 100 * 365 * 86_400_000
"""A clock that says more than a hundred years, or no number, is not believed."""
CLOCK = "train_time"
"""The metric that tells how long the run had trained; points of its line are dated by it."""


@dataclass
class Series:
    """One metric in the order of the log: steps, milliseconds since the start, values."""

    steps: list[int] = field(default_factory=list)
    elapsed_millis: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


@dataclass
class RunLog:
    """What one log holds."""

    series: dict[str, Series] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    """Values that are not numbers; the last of each name."""
    units: dict[str, str] = field(default_factory=dict)
    """The unit of each metric that has one; "ms" for every time."""
    planned_steps: int | None = None
    lines: int = 0
    strange_lines: int = 0
    """Lines that do not begin with a step within int64."""
    elapsed_millis: int = 0

    @property
    def points(self) -> int:
        """How many points there are, over all metrics."""
        return sum(len(series.values) for series in self.series.values())


def parse_number(text: str) -> tuple[float, str] | None:
    """The number and the unit; times are converted to milliseconds. None when it is not a number."""
    try:
        return float(text) if "_" not in text else float("x"), ""
    except ValueError:
        pass
    match = NUMBER.fullmatch(text)
    if match is None:
        return None
    number, unit = float(match[1]), match[2]
    if not unit:
        return number, ""
    if any(letter.isdigit() for letter in unit) or unit[0] in "./:,+-_":
        return None  # 3/4, 2025-01-04, 10:30, 0x1f and 4e2b97c are texts
    scale = MILLIS.get(unit)
    if scale is None:
        if match[1][-1:].isalpha():
            return None  # "info", "nano": words that begin like inf and nan
        return number, unit
    return number * scale, "ms"


def parse_log(lines: Iterable[str]) -> RunLog:
    """Every line of one log."""
    log = RunLog()
    series, units, numbers = log.series, log.units, {}
    for line in lines:
        pairs = PAIR.findall(line)
        if not pairs:
            if line.strip():
                log.strange_lines += 1
            continue
        match = STEP.fullmatch(pairs[0][1])
        if match is None or abs(step := int(match[1])) > LAST_STEP:
            log.strange_lines += 1
            continue
        log.lines += 1
        if match[2]:
            log.planned_steps = int(match[2])
        found = []
        for name, text in pairs[1:]:
            parsed = parse_number(text)
            if parsed is None:
                log.texts[name] = text
                continue
            found.append((name, parsed[0]))
            if parsed[1]:
                numbers[name] = parsed[1]
            if name == CLOCK and 0 <= parsed[0] <= LONGEST_MILLIS:
                log.elapsed_millis = int(parsed[0])
        for name, value in found:
            one = series.get(name)
            if one is None:
                one = series[name] = Series()
            one.steps.append(step)
            one.elapsed_millis.append(log.elapsed_millis)
            one.values.append(value)
    units.update(numbers)
    return log
