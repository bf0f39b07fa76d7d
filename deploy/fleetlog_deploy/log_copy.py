"""`fleetlog log copy`: the log of one engine into another, byte for byte."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from fleetlog_core.log.copying import CopyTarget, compare_logs, copy_log
from fleetlog_core.log.kafka.log import KafkaLog
from fleetlog_core.log.kafka.settings import KafkaSettings
from fleetlog_core.log.kafka.topics import TopicMissing, found_topics
from fleetlog_core.log.kafka.url import SCHEME, settings_of
from fleetlog_core.log.port import EVENTS, TOPICS, EventLog, LogUnavailable, Partition, RecordsGone, RecordTooLarge
from fleetlog_core.log.sqlite import SqliteLog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from fleetlog_deploy.settings.kafka import kafka_variables
from fleetlog_deploy.settings.load import SettingsRefused, load

FILE = Path("log") / "events.sqlite"
"""Where a data directory has its log."""


class Refused(Exception):
    """A place that can't be copied from or to."""


def copy_data(source: str, target: str, verify: bool) -> int:
    """Copy, with a bar on stderr where that is a terminal. The exit code: 0 done, 1 otherwise."""
    try:
        if source == target or (SCHEME not in source + target and Path(source).resolve() == Path(target).resolve()):
            raise Refused(f"{source} can't be copied onto itself")
        with opened_log(source) as logged:
            counts = {topic: logged.partitions(topic) for topic in TOPICS}
            with _target(target, counts) as copy:
                print(_copy(logged, copy, verify))
        return 0
    except (Refused, ValueError, LogUnavailable, RecordTooLarge, RecordsGone) as error:
        print(f"fleetlog: {error}", file=sys.stderr)
        if isinstance(error, LogUnavailable):
            print("What was copied stays; the same command goes on from there.", file=sys.stderr)
        return 1


def _copy(source: EventLog, target: CopyTarget, verify: bool) -> str:
    """What was done, in a line."""
    partitions = [Partition(topic, number) for topic in TOPICS for number in range(source.partitions(topic))]
    before = {partition: target.next_offset(partition) for partition in partitions}
    with _bar("copying", source, partitions) as follow:
        for partition, offset in before.items():
            follow(partition, offset, 0)
        ends = copy_log(source, target, on_progress=follow)
    total, copied = sum(ends.values()), sum(ends.values()) - sum(before.values())
    said = f"{copied:,} records copied; {total:,} in {len(partitions)} partitions, the same in both"
    if not verify:
        return said
    with _bar("comparing", source, partitions) as follow:
        compare_logs(source, target, ends, on_progress=follow)
    return f"{said}, compared byte for byte"


class _Follow:
    """Takes the progress of each partition and moves one bar by all."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task
        self._at: dict[Partition, int] = {}

    def __call__(self, partition: Partition, offset: int, end: int) -> None:
        self._at[partition] = offset
        self._progress.update(self._task, completed=sum(self._at.values()))


@contextmanager
def _bar(what: str, source: EventLog, partitions: list[Partition]) -> Iterator[_Follow]:
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn("records"), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=sum(map(source.next_offset, partitions)))
        yield _Follow(progress, task)


@contextmanager
def opened_log(place: str) -> Iterator[EventLog]:
    """The log that is there: of a data directory, or in Kafka. Refused, ValueError, LogUnavailable."""
    if place.startswith(SCHEME):
        # What topics are left of a log that was lost may be all that there is to save.
        with closing(KafkaLog(replace(found_topics(settings_of(place, _kafka())), may_lose_events=True))) as log:
            yield log
        return
    path = Path(place) / FILE
    if not path.is_file():
        raise Refused(f"there is no log in {place}: give the data directory of a server, or kafka://host:port/prefix")
    with closing(SqliteLog(path)) as file:
        yield file


@contextmanager
def _target(place: str, counts: dict[str, int]) -> Iterator[CopyTarget]:
    if place.startswith(SCHEME):
        with closing(KafkaLog(_made_for(place, counts))) as log:
            yield log
        return
    path = Path(place) / FILE
    for directory in (Path(place), path.parent):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with closing(SqliteLog(path, counts)) as file:
        yield file


def _kafka() -> dict[str, str]:
    """Who we are to the brokers, by the settings. Refused."""
    try:
        return kafka_variables(load().settings)
    except SettingsRefused as error:
        raise Refused(str(error)) from None


def _made_for(url: str, counts: dict[str, int]) -> KafkaSettings:
    """The settings of the topics there, which have to have these partitions."""
    make = f"fleetlog topics create {url} --partitions {counts[EVENTS]}"
    try:
        settings = found_topics(settings_of(url, _kafka()))
    except TopicMissing as error:
        raise Refused(f"{error}. For this copy: {make}") from None
    if settings.partitions != counts[EVENTS]:
        raise Refused(
            f"{settings.topic(EVENTS)} has {settings.partitions} partitions and the source {counts[EVENTS]}: make a log"
            f" under another prefix, with --partitions {counts[EVENTS]}"
        )
    return settings
