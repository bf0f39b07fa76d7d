"""What the columns of a history are, by their names: pure, and said before anything is sent.

1. `Wall time, Step, Value` is one series, as TensorBoard downloads it: the file's name has the run and the tag.
2. `Step` and columns `RUN - KEY` are series of several runs, as W&B exports a chart.
3. Else one column is the step and one may be the time, by the names that trackers use; every other column is a metric.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

STEPS = ("_step", "step", "global_step", "trainer/global_step", "iteration", "iter", "epoch")
"""Names of columns that are the step: the first one that is there."""
TIMES = ("_timestamp", "timestamp", "time", "wall time", "wall_time", "date", "datetime")
LEFT_OUT = "-"
"""What a column is mapped to that is left out."""
_RUNTIME = "_runtime"
_INDEX = re.compile(r"|Unnamed: \d+|__index_level_\d+__|index")
_DOWNLOADED = re.compile(r"run-(?P<run>.+)-tag-(?P<key>.+)")
_CHARTED = re.compile(r"(?P<run>.+?) - (?P<key>.+?)(?P<range>__MIN|__MAX)?")


@dataclass(frozen=True, slots=True)
class Series:
    """A column that is a metric: its run where the header names one, and its key."""

    column: str
    key: str
    run: str | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """What the columns are."""

    step: str | None
    """None = rows are counted."""
    time: str | None
    series: Sequence[Series]
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Why, by column."""

    def in_words(self) -> str:
        """What is read as what."""
        step = f"column {self.step}" if self.step else "the number of the row"
        time = f"column {self.time}" if self.time else "the file's"
        keys = ", ".join(f"{one.column} as {one.key}" if one.column != one.key else one.key for one in self.series)
        return f"step: {step}; time: {time}; metrics: {keys or 'none'}"


def header_of(columns: Sequence[str], name: str, mapped: Mapping[str, str]) -> Header:
    """What the columns of a file are. `mapped`: column → "step", "time", a key, or "-" for one that is left out.

    ValueError: a column that is mapped is not there.
    """
    if missing := [column for column in mapped if column not in columns]:
        raise ValueError(f"there is no column {missing[0]!r}: there are {', '.join(columns[:20])}")
    step = _mapped_to("step", mapped) or _first(columns, STEPS, mapped)
    time = _mapped_to("time", mapped) or _first(columns, TIMES, mapped)
    rest = [column for column in columns if column not in (step, time)]
    left_out: dict[str, str] = {}
    series: list[Series] = []
    downloaded = _DOWNLOADED.fullmatch(name)
    if not mapped and step and time and [column.lower() for column in rest] == ["value"]:
        run, key = (downloaded["run"], downloaded["key"]) if downloaded else (None, "value")
        return Header(step, time, [Series(rest[0], key, run)])
    charted = {column: match for column in rest if (match := _CHARTED.fullmatch(column))}
    is_chart = bool(charted) and len(charted) == len([column for column in rest if not _INDEX.fullmatch(column)])
    for column in rest:
        target = mapped.get(column)
        if target == LEFT_OUT or (target is None and _INDEX.fullmatch(column)):
            left_out[column] = "left out as asked" if target else "the index of a data frame"
        elif target:
            series.append(Series(column, target))
        elif column == _RUNTIME:
            left_out[column] = "the time since the start"
        elif is_chart and charted[column]["range"]:
            left_out[column] = "the range that a chart draws around a line"
        elif is_chart:
            series.append(Series(column, charted[column]["key"], charted[column]["run"]))
        else:
            series.append(Series(column, column.removeprefix("metrics.")))
    return Header(step, time, series, left_out)


def _mapped_to(what: str, mapped: Mapping[str, str]) -> str | None:
    return next((column for column, target in mapped.items() if target == what), None)


def _first(columns: Sequence[str], names: Sequence[str], mapped: Mapping[str, str]) -> str | None:
    by_name = {column.lower(): column for column in reversed(columns) if column not in mapped}
    return next((by_name[name] for name in names if name in by_name), None)
