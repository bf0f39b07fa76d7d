"""Kafka, ClickHouse and S3 for one benchmark: topics, a database and a bucket of its own, removed at the end."""

from __future__ import annotations

import os
import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

from fleetlog_core.log.kafka.settings import KafkaSettings
from fleetlog_core.log.kafka.topics import administer, create_topics
from fleetlog_core.log.port import TOPICS
from fleetlog_core.objects.s3_settings import S3Settings
from fleetlog_core.warehouse.clickhouse import ClickHouseWarehouse
from fleetlog_core.warehouse.clickhouse_settings import ClickHouseSettings
from fleetlog_core.warehouse.port import Statement
from minio import Minio

VARIABLES = ("FLEETLOG_TEST_KAFKA", "FLEETLOG_TEST_CLICKHOUSE", "FLEETLOG_TEST_S3")
"""As tests/servers.py has them: host:port,… and two URLs. The servers may be shared and outlive the benchmark."""
PARTITIONS = 16
"""What `fleetlog topics create` makes when it is not told."""


@contextmanager
def own_engines() -> Iterator[dict[str, str]]:
    """What `fleetlog serve` needs in its environment. SystemExit when a server is not named."""
    missing = [variable for variable in VARIABLES if not os.environ.get(variable)]
    if missing:
        raise SystemExit(f"benchmarks: not set: {', '.join(missing)}; tests/servers.py tells what they are")
    kafka, clickhouse, s3 = (os.environ[variable] for variable in VARIABLES)
    name = f"fleetlog-bench-{uuid.uuid4().hex[:12]}"
    with _topics(kafka, name), _database(clickhouse, name.replace("-", "_")) as warehouse, _bucket(s3, name) as objects:
        yield {
            "FLEETLOG_LOG_URL": f"kafka://{kafka}/{name}",
            "FLEETLOG_WAREHOUSE_URL": warehouse,
            "FLEETLOG_OBJECTS_URL": objects,
            "FLEETLOG_QUERY_TOKEN_KEY": secrets.token_hex(32),
        }


@contextmanager
def _topics(bootstrap: str, prefix: str) -> Iterator[None]:
    settings = KafkaSettings(tuple(bootstrap.split(",")), prefix=prefix, partitions=PARTITIONS, replication=1)
    names = [settings.topic(topic) for topic in TOPICS]
    try:
        create_topics(settings)
        yield
    finally:
        administer(
            replace(settings, connect_seconds=30.0), lambda admin: admin.delete_topics(names, raise_errors=False)
        )


@contextmanager
def _database(url: str, name: str) -> Iterator[str]:
    """The first migration makes it."""
    base = url.rpartition("/")[0]
    try:
        yield f"{base}/{name}"
    finally:
        warehouse = ClickHouseWarehouse(ClickHouseSettings.from_url(f"{base}/default"))
        warehouse.execute(Statement(f"DROP DATABASE IF EXISTS {name} SYNC"))
        warehouse.close()


@contextmanager
def _bucket(url: str, name: str) -> Iterator[str]:
    """The first artifact makes it."""
    settings = S3Settings.from_url(url)
    try:
        yield f"{url.rstrip('/')}/{name}"
    finally:
        parts = urlsplit(settings.endpoint)
        client = Minio(
            parts.netloc, settings.access_key, settings.secret_key,
            secure=parts.scheme == "https", region=settings.region,
        )  # fmt: skip
        if client.bucket_exists(name):
            for one in client.list_objects(name, recursive=True):
                client.remove_object(name, one.object_name)
            client.remove_bucket(name)
