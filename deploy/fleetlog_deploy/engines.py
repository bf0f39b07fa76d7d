"""The engines behind the ports, as their URLs say. Each is opened when it is first asked for."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from fleetlog_core.log.port import EventLog, LogUnavailable
from fleetlog_core.log.watched import WatchedLog
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.objects.port import ObjectStore
from fleetlog_core.outages import Outage
from fleetlog_core.rebuilds import WholeWarehouse, rebuilding
from fleetlog_core.serving.measured import MeasuredWarehouse
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.serving.traced_log import TracedLog
from fleetlog_core.serving.traces import NoTraces
from fleetlog_core.warehouse.checkpoints import loss
from fleetlog_core.warehouse.generations import CurrentWarehouse, Generations
from fleetlog_core.warehouse.port import TimedOut, Warehouse, WarehouseRefused, WarehouseUnavailable

from fleetlog_deploy.settings.credentials import with_credentials
from fleetlog_deploy.settings.kafka import kafka_variables
from fleetlog_deploy.settings.load import SettingsRefused
from fleetlog_deploy.settings.model import KEYS, Settings
from fleetlog_deploy.settings.shown import shown_value

if TYPE_CHECKING:
    from fleetlog_core.log.kafka.settings import KafkaSettings

T = TypeVar("T")
ONE_PROCESS = ("sqlite:", "chdb:")
"""Engines that one process has to itself."""


class Engines:
    """Log, warehouse and object store of one process. Not to be used after a fork.

    SettingsRefused for a URL that can't be meant; opening raises LogUnavailable, WarehouseUnavailable.
    """

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        settings = with_credentials(settings)
        # All are read before the first is opened: what is wrong with one does not wait for another to answer.
        self._open_log = _checked("log.url", settings, _log)
        self._open_warehouse = _checked("warehouse.url", settings, _warehouse)
        self.generations = _generations(settings)
        """Generations of a ClickHouse server's tables, which may lose parts while this runs; None for other warehouses.

        In a cluster a replica that lost parts fetches them from another."""
        self._open_objects = _checked("objects.url", settings, _objects)
        self.has_checkpoints = self.generations is not None or not settings.warehouse.url.startswith("clickhouse")
        """False for a cluster."""
        self.warehouse_cores = os.cpu_count() if settings.warehouse.url.startswith("chdb:") else None
        """Cores on which this process runs its statements by itself; None: a server does."""
        self._telemetry = telemetry
        self._has_log = bool(settings.log.url)
        self._opening = threading.Lock()
        self._writes = Outage("the event log takes no writes")
        self._opened: list[EventLog | Warehouse | ObjectStore] = []

    @cached_property
    def log(self) -> WatchedLog:
        """The event log, and whether it takes writes."""
        log = self._open_log()
        self._opened.append(log)
        traces = self._telemetry.traces
        return WatchedLog(log if isinstance(traces, NoTraces) else TracedLog(log, traces), self._writes)

    def log_if_known(self) -> EventLog | None:
        """The log, opened when it is first asked for; None where none is set. From any thread. LogUnavailable."""
        with self._opening:
            return self.log if self._has_log else None

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse, measured."""
        opened = self._open_warehouse() if self.generations is None else self._current
        warehouse = MeasuredWarehouse(opened, self._telemetry)
        self._opened.append(warehouse)
        return warehouse

    @cached_property
    def reads(self) -> WholeWarehouse:
        """The warehouse, for those who serve from it: NotWhole as long as its rows are not whole."""
        return WholeWarehouse(self.warehouse, rebuilding if self.generations is None else lost_or_rebuilding)

    def generation(self) -> int:
        """Number of the generation in use. WarehouseUnavailable, TimedOut. Only where there are generations."""
        return self._current.number()

    def superseded(self) -> str:
        """Why another generation has to be used, in words; empty when none, or when the server does not answer."""
        if self.generations is None:
            return ""
        try:
            number, newest = self.generation(), self.generations.newest()
        except (WarehouseUnavailable, WarehouseRefused, TimedOut):
            return ""
        if number == newest:
            return ""
        return f"the tables are in the database {self.generations.database(newest)} by now"

    def close_warehouse(self) -> None:
        """Let the warehouse alone go; it is opened again when it is asked for."""
        warehouse = self.__dict__.pop("warehouse", None)
        if warehouse is not None:
            self._opened.remove(warehouse)
            warehouse.close()
        for known in ("reads", "_current"):
            self.__dict__.pop(known, None)

    @cached_property
    def objects(self) -> ObjectStore:
        """The object store."""
        objects = self._open_objects()
        self._opened.append(objects)
        return objects

    def close(self) -> None:
        """Let go of what was opened; what was appended is durable first."""
        while self._opened:
            self._opened.pop().close()
        if self.generations is not None:
            self.generations.close()

    @cached_property
    def _current(self) -> CurrentWarehouse:
        if self.generations is None:
            raise TypeError("only the tables of a ClickHouse server have generations")
        return CurrentWarehouse(self.generations)


def lost_or_rebuilding(warehouse: Warehouse) -> str:
    """Why the rows of a warehouse are not whole, for clients too; empty when they are."""
    if loss(warehouse, boot=""):
        return "rows of the warehouse are lost, and it has to be rebuilt from the log, where nothing is lost"
    return rebuilding(warehouse)


def need(settings: Settings, *names: str) -> None:
    """SettingsRefused when one of the settings is not set."""
    complaints = []
    for name in names:
        key = KEYS[name]
        if not getattr(getattr(settings, key.section), key.name):
            where = f"set {key.variable}, or `{key.name}` under [{key.section}] in the file of --config"
            complaints.append(f"{key} is not set: {where}; it must be {key.limit.words() if key.limit else 'there'}")
    if complaints:
        raise SettingsRefused(complaints)


def need_shared(settings: Settings) -> None:
    """SettingsRefused when an engine is one that only one process can have."""
    urls = {"log.url": settings.log.url, "warehouse.url": settings.warehouse.url}
    alone = [f"{name} = {shown_value(KEYS[name], url)}: one process has it to itself; `fleetlog up` serves"
             " everything from one process, `fleetlog serve` takes kafka:// and clickhouse://"
             for name, url in urls.items() if url.startswith(ONE_PROCESS)]  # fmt: skip
    if alone:
        raise SettingsRefused(alone)


def _log(settings: Settings) -> Callable[[], EventLog]:
    url = settings.log.url
    if not url.startswith("kafka:"):
        return lambda: _sqlite(engine_path(url))
    from fleetlog_core.log.kafka.url import settings_of

    made = replace(
        settings_of(url, kafka_variables(settings)),
        delivery_seconds=settings.log.delivery_seconds,
        request_seconds=min(10.0, settings.log.delivery_seconds),
        session_seconds=settings.log.session_seconds,
    )
    return lambda: _kafka(made)


def _sqlite(directory: Path) -> EventLog:
    from fleetlog_core.log.sqlite import SqliteLog

    return SqliteLog(directory / "events.sqlite")


def _kafka(settings: KafkaSettings) -> EventLog:
    from fleetlog_core.log.kafka.log import KafkaLog
    from fleetlog_core.log.kafka.topics import TopicRefused, found_topics

    try:
        return KafkaLog(found_topics(settings))
    except TopicRefused as error:
        # Mended without a change here: started again, it goes on.
        raise LogUnavailable(str(error)) from error


def _warehouse(settings: Settings) -> Callable[[], Warehouse]:
    url = settings.warehouse.url
    if not url.startswith("clickhouse"):
        return lambda: _chdb(engine_path(url))
    from fleetlog_core.warehouse.clickhouse import ClickHouseWarehouse
    from fleetlog_core.warehouse.clickhouse_settings import ClickHouseSettings

    made = replace(ClickHouseSettings.from_url(url), connections=settings.warehouse.connections)
    return lambda: ClickHouseWarehouse(made)


def _generations(settings: Settings) -> Generations | None:
    if not settings.warehouse.url.startswith("clickhouse") or "cluster=" in settings.warehouse.url:
        return None
    from fleetlog_core.warehouse.clickhouse_settings import ClickHouseSettings

    return Generations(
        replace(ClickHouseSettings.from_url(settings.warehouse.url), connections=settings.warehouse.connections)
    )


def _chdb(directory: Path) -> Warehouse:
    from fleetlog_core.warehouse.chdb import ChdbWarehouse

    return ChdbWarehouse(directory)


def _objects(settings: Settings) -> Callable[[], ObjectStore]:
    url = settings.objects.url
    if not url.startswith("http"):
        return lambda: FolderStore(engine_path(url))
    from fleetlog_core.objects.s3 import S3Store
    from fleetlog_core.objects.s3_settings import S3Settings

    made = S3Settings.from_url(url)
    return lambda: S3Store(made)


def _checked(name: str, settings: Settings, read: Callable[[Settings], Callable[[], T]]) -> Callable[[], T]:
    try:
        return read(settings)
    except ValueError as error:
        key = KEYS[name]
        url = getattr(getattr(settings, key.section), key.name)
        raise SettingsRefused([f"{name} = {shown_value(key, url)}: {error}"]) from None


def engine_path(url: str) -> Path:
    """The directory that the URL of an embedded engine names."""
    return Path(url.partition(":")[2]).expanduser().absolute()
