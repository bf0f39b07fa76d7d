"""What a load test found: of one machine, or of several together. Pure.

Reports of machines are JSON files with the counts of all durations, so that quantiles of all of them are right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from fleetlog_core.errors import InvalidArgument, shown

from fleetlog.loadtest.distribution import Distribution
from fleetlog.loadtest.ledger import SHOWN, Findings

FORMAT = "fleetlog.loadtest/1"
_ADDED = (
    "workers", "runs", "sent_points", "durable_points", "refused_points", "unanswered_points", "late_points",
    "stale_reads", "failed_probes", "broken_streams", "client_cpu_seconds", "unread_runs",
)  # fmt: skip
_DISTRIBUTIONS = ("opened", "acknowledged", "answered", "behind_schedule", "readable", "readable_by")


@dataclass
class SearchReport:
    """What became of one search of a profile."""

    took: Distribution = field(default_factory=Distribution)
    """From when it was due until its answer."""
    failed: int = 0
    """How many had an error for an answer."""
    error: str = ""
    """The first of them."""


@dataclass
class Report:
    """A load test. Points are counted with every metric of a step."""

    name: str
    share: str
    """Shares of the load that are in it, such as "1/2"."""
    seconds: float = 0.0
    """From the first worker's start until the last answer."""
    interrupted: bool = False
    """True if it was ended before its time."""
    workers: int = 0
    runs: int = 0
    sent_points: int = 0
    durable_points: int = 0
    refused_points: int = 0
    unanswered_points: int = 0
    """Points of which nothing was said within the time that was waited."""
    late_points: int = 0
    """Points that could not be read so many seconds after they were acknowledged (late_seconds)."""
    stale_reads: int = 0
    """Reads that had to see an acknowledged point, and did not."""
    failed_probes: int = 0
    """Reads of a point, and questions about the position, that had an error for an answer."""
    broken_streams: int = 0
    """Streams that ended before their worker did."""
    unread_runs: int = 0
    """Runs that could not be read back: nothing is known of their points."""
    client_cpu_seconds: float = 0.0
    """CPU of the load test itself, while workers were at work."""
    client_memory_bytes: int = 0
    """Most memory that it had, resident; of several machines the most."""
    max_lag_records: int = 0
    """Most records that the log had and the tables had not, by looks a second apart."""
    mean_lag_records: float = 0.0
    opened: Distribution = field(default_factory=Distribution)
    """From a worker's start until its run's opening was acknowledged, the connection included."""
    acknowledged: Distribution = field(default_factory=Distribution)
    """From when a step was due until it was acknowledged."""
    answered: Distribution = field(default_factory=Distribution)
    """From when a step was first sent until it was acknowledged."""
    behind_schedule: Distribution = field(default_factory=Distribution)
    """From when a step was due until it was sent: what this machine could not keep up with."""
    readable: Distribution = field(default_factory=Distribution)
    """From the acknowledgement of a point until a read had it."""
    readable_by: Distribution = field(default_factory=Distribution)
    """As `readable`, of every step, by looks a second apart: at most so long."""
    searches: dict[str, SearchReport] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)
    """What reading all of it back found."""
    problems: dict[str, int] = field(default_factory=dict)
    """Errors of streams and refusals in words, with how often they came."""

    def problem(self, text: str) -> None:
        """Note an error. Of many different ones only the first are kept."""
        if text in self.problems or len(self.problems) < SHOWN:
            self.problems[text] = self.problems.get(text, 0) + 1

    @property
    def is_whole(self) -> bool:
        """True if every point was acknowledged, and is there as it was, and reads kept their word."""
        return (
            self.findings.is_whole
            and not (self.unread_runs or self.stale_reads or self.refused_points or self.unanswered_points)
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        said: dict[str, Any] = {"format": FORMAT, "is_whole": self.is_whole}
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, Distribution):
                value = value.to_dict()
            elif isinstance(value, Findings):
                value = {part.name: getattr(value, part.name) for part in fields(value)}
            elif one.name == "searches":
                value = {
                    name: {"took": search.took.to_dict(), "failed": search.failed, "error": search.error}
                    for name, search in self.searches.items()
                }
            said[one.name] = value
        return said

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Report:
        """From what `to_dict` gave. InvalidArgument REPORT_INVALID."""
        try:
            if said["format"] != FORMAT:
                raise InvalidArgument.of_field("REPORT_INVALID", "format", f"{shown(said['format'])} is not {FORMAT}")
            found = cls(str(said["name"]), str(said["share"]))
            for one in fields(cls):
                value = said[one.name]
                if one.name in _DISTRIBUTIONS:
                    value = Distribution.of(value)
                elif one.name == "findings":
                    value = Findings(**value)
                elif one.name == "searches":
                    value = {
                        name: SearchReport(Distribution.of(one["took"]), int(one["failed"]), str(one["error"]))
                        for name, one in value.items()
                    }
                setattr(found, one.name, value)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidArgument.of_field(
                "REPORT_INVALID", "report", f"it is not what `fleetlog loadtest --json` wrote: {error!r:.200}"
            ) from None
        return found


def merged(reports: Iterable[Report]) -> Report:
    """One report of several machines' of one load. InvalidArgument: they are of different loads, or one came twice."""
    reports = list(reports)
    names, shares = {one.name for one in reports}, [one.share for one in reports]
    if len(names) != 1:
        raise InvalidArgument.of_field("REPORT_INVALID", "name", f"reports of different loads: {shown(sorted(names))}")
    if len(set(shares)) != len(shares):
        raise InvalidArgument.of_field("REPORT_INVALID", "share", f"a share is there twice: {shown(sorted(shares))}")
    found = Report(names.pop(), ", ".join(sorted(shares)))
    for one in reports:
        for name in _ADDED:
            setattr(found, name, getattr(found, name) + getattr(one, name))
        for name in _DISTRIBUTIONS:
            getattr(found, name).merge(getattr(one, name))
        for name, search in one.searches.items():
            into = found.searches.setdefault(name, SearchReport())
            into.took.merge(search.took)
            into.failed += search.failed
            into.error = into.error or search.error
        for text, count in one.problems.items():
            found.problems[text] = found.problems.get(text, 0) + count
        found.seconds = max(found.seconds, one.seconds)
        found.interrupted = found.interrupted or one.interrupted
        found.client_memory_bytes = max(found.client_memory_bytes, one.client_memory_bytes)
        # All of them look at one log.
        found.max_lag_records = max(found.max_lag_records, one.max_lag_records)
        found.mean_lag_records = max(found.mean_lag_records, one.mean_lag_records)
        found.findings.add(one.findings)
    return found


def rows_of(report: Report) -> list[tuple[str, int, str, str, str, str, str]]:
    """A table for people: what, how many, p50, p95, p99, max and what it means. Durations in milliseconds."""
    named = [
        ("run opened", report.opened, "from the start of a worker, with its connection"),
        ("step acknowledged", report.acknowledged, "from when it was due"),
        ("step answered", report.answered, "from when it was sent"),
        ("sent late", report.behind_schedule, "by this machine, from when it was due"),
        ("point readable", report.readable, "from its acknowledgement, by a read"),
        ("step readable by", report.readable_by, "from its acknowledgement, by looks a second apart"),
        *[(f"search: {name}", one.took, f"{one.failed:,} failed" if one.failed else "") for name, one in
          report.searches.items()],
    ]  # fmt: skip
    return [
        (
            what, one.count, _millis(one.quantile(0.5)), _millis(one.quantile(0.95)), _millis(one.quantile(0.99)),
            _millis(one.max), meaning,
        )
        for what, one, meaning in named
        if one.count
    ]  # fmt: skip


def lines_of(report: Report) -> list[str]:
    """What the load test says, in sentences."""
    rate = report.durable_points / report.seconds if report.seconds else 0.0
    found = report.findings
    lines = [
        f"{report.workers:,} workers of {report.runs:,} runs, {report.seconds:,.1f} s"
        + (" (ended early)" if report.interrupted else ""),
        f"{report.sent_points:,} points sent, {report.durable_points:,} acknowledged ({rate:,.0f} a second),"
        f" {report.refused_points:,} refused, {report.unanswered_points:,} without an answer",
        f"{found.compared:,} acknowledged points looked for: {found.lost:,} lost, {found.twice:,} twice,"
        f" {found.wrong:,} wrong, {found.unsent:,} that were never taken; {report.late_points:,} were late",
    ]
    if found.files:
        lines.append(f"{found.files:,} files looked for: {found.lost_files:,} lost")
    if report.unread_runs:
        lines.append(f"{report.unread_runs:,} runs could not be read back: nothing is known of their points")
    if report.stale_reads:
        lines.append(f"{report.stale_reads:,} reads did not see a point that was acknowledged before")
    lines.append(
        f"at most {report.max_lag_records:,} records behind; {report.broken_streams:,} streams broke;"
        f" this machine: {report.client_cpu_seconds:,.1f} s of CPU, {report.client_memory_bytes / 1e6:,.0f} MB"
    )
    if report.behind_schedule.quantile(0.95) > SLOW_SECONDS:
        lines.append(
            "this machine was too slow for the load: a twentieth of the steps was sent"
            f" {report.behind_schedule.quantile(0.95):.2f} s late or more; give shares of it to several (--share)"
        )
    lines += [f"{count:,} ×: {text}" for text, count in report.problems.items()]
    lines += [f"search failed: {one.error}" for one in report.searches.values() if one.error]
    return [*lines, *found.named]


SLOW_SECONDS = 0.25
"""Seconds behind the schedule at which a machine is said to be too slow."""


def _millis(seconds: float) -> str:
    return f"{seconds * 1e3:,.1f}"
