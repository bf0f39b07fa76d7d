"""The engines behind the ports, as their URLs say. Each is opened when it is first asked for."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path

from fleetlog_core.log.port import EventLog
from fleetlog_core.objects.port import ObjectStore
from fleetlog_core.serving.measured import MeasuredWarehouse
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.port import Warehouse

from fleetlog_deploy.settings.load import SettingsRefused
from fleetlog_deploy.settings.model import KEYS, Settings
from fleetlog_deploy.settings.shown import shown_value

ONE_PROCESS = ("sqlite:", "chdb:")
"""Engines that one process has to itself."""


class Engines:
    """Log, warehouse and object store of one process. Not to be used after a fork.

    Opening raises SettingsRefused for what can't be meant, and LogUnavailable, WarehouseUnavailable.
    """

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._opened: list[EventLog | Warehouse | ObjectStore] = []

    @cached_property
    def log(self) -> EventLog:
        """The event log."""
        log = _open_log(self._settings)
        self._opened.append(log)
        return log

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse, measured."""
        warehouse = MeasuredWarehouse(_open_warehouse(self._settings), self._telemetry)
        self._opened.append(warehouse)
        return warehouse

    @cached_property
    def objects(self) -> ObjectStore:
        """The object store."""
        objects = _open_objects(self._settings)
        self._opened.append(objects)
        return objects

    def close(self) -> None:
        """Let go of what was opened; what was appended is durable first."""
        while self._opened:
            self._opened.pop().close()


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


def _open_log(settings: Settings) -> EventLog:
    url = settings.log.url
    if url.startswith("sqlite:"):
        from fleetlog_core.log.sqlite import SqliteLog

        return SqliteLog(_directory(url) / "events.sqlite")
    from fleetlog_core.log.kafka.log import KafkaLog
    from fleetlog_core.log.kafka.topics import TopicRefused, found_topics
    from fleetlog_core.log.kafka.url import settings_of

    said = settings.kafka
    variables = {key.variable: str(getattr(said, key.name)) for key in KEYS.values() if key.section == "kafka"}
    try:
        made = replace(
            settings_of(url, variables),
            delivery_seconds=settings.log.delivery_seconds,
            request_seconds=min(10.0, settings.log.delivery_seconds),
            session_seconds=settings.log.session_seconds,
        )
        return KafkaLog(found_topics(made))
    except TopicRefused:
        raise
    except ValueError as error:
        raise _refused("log.url", url, error) from None


def _open_warehouse(settings: Settings) -> Warehouse:
    url = settings.warehouse.url
    if url.startswith("chdb:"):
        from fleetlog_core.warehouse.chdb import ChdbWarehouse

        return ChdbWarehouse(_directory(url))
    from fleetlog_core.warehouse.clickhouse import ClickHouseWarehouse
    from fleetlog_core.warehouse.clickhouse_settings import ClickHouseSettings

    try:
        made = replace(ClickHouseSettings.from_url(url), connections=settings.warehouse.connections)
    except ValueError as error:
        raise _refused("warehouse.url", url, error) from None
    return ClickHouseWarehouse(made)


def _open_objects(settings: Settings) -> ObjectStore:
    url = settings.objects.url
    if url.startswith("folder:"):
        from fleetlog_core.objects.folder import FolderStore

        return FolderStore(_directory(url))
    from fleetlog_core.objects.s3 import S3Store
    from fleetlog_core.objects.s3_settings import S3Settings

    try:
        return S3Store(S3Settings.from_url(url))
    except ValueError as error:
        raise _refused("objects.url", url, error) from None


def _directory(url: str) -> Path:
    return Path(url.partition(":")[2]).expanduser().absolute()


def _refused(name: str, url: str, error: ValueError) -> SettingsRefused:
    return SettingsRefused([f"{name} = {shown_value(KEYS[name], url)}: {error}"])
