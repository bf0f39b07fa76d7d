"""Parts of fleetlog as processes of their own over real servers: topics, a database and a bucket for one test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fleetlog_core.log.kafka.log import KafkaLog
from fleetlog_core.log.kafka.settings import KafkaSettings
from fleetlog_core.objects.s3 import S3Store
from fleetlog_core.objects.s3_settings import S3Settings
from fleetlog_core.warehouse.clickhouse import ClickHouseWarehouse
from fleetlog_core.warehouse.clickhouse_settings import ClickHouseSettings

from tests.core.log.kafka.own_topics import own_topics
from tests.core.objects.stores import bucket
from tests.deploy.databases import database
from tests.deploy.processes import Up, running


@dataclass
class Cluster:
    """Where the engines are, in the environment's words, and the processes that were started."""

    environment: dict[str, str]
    kafka: KafkaSettings
    warehouse_url: str
    bucket: S3Settings
    path: Path
    stack: ExitStack

    def serve(self, *arguments: str, **settings: str) -> Up:
        """`fleetlog serve` with these FLEETLOG_* of its own. Killed at the end unless it was stopped.

        Its diagnostics go to a file.
        """
        number = len(list(self.path.glob("*.log")))
        err = self.stack.enter_context((self.path / f"{number:02}-{arguments[0]}.log").open("w"))
        return self.stack.enter_context(
            running("serve", *arguments, "--metrics-port", "0", environment={**self.environment, **settings}, err=err)
        )

    def log(self) -> KafkaLog:
        """The log, beside the processes."""
        log = KafkaLog(self.kafka)
        self.stack.callback(log.close)
        return log

    def warehouse(self) -> ClickHouseWarehouse:
        """The tables, beside the processes."""
        return self._opened(self.warehouse_url)

    def fresh_warehouse(self) -> ClickHouseWarehouse:
        """An empty database, dropped at the end."""
        return self._opened(self.stack.enter_context(database(self.warehouse_url)))

    def objects(self) -> S3Store:
        """The bucket, beside the processes."""
        store = S3Store(self.bucket)
        self.stack.callback(store.close)
        return store

    def _opened(self, url: str) -> ClickHouseWarehouse:
        warehouse = ClickHouseWarehouse(ClickHouseSettings.from_url(url))
        self.stack.callback(warehouse.close)
        return warehouse


@contextmanager
def cluster(
    kafka_server: str, clickhouse_server: str, s3_server: str, path: Path, partitions: int = 4
) -> Iterator[Cluster]:
    """Engines of the test's own; whatever was started in it is gone before they are."""
    with (
        own_topics(kafka_server, partitions) as kafka,
        database(clickhouse_server) as warehouse_url,
        bucket(s3_server) as s3,
        ExitStack() as stack,
    ):
        environment = {
            "FLEETLOG_LOG_URL": f"kafka://{kafka_server}/{kafka.prefix}",
            "FLEETLOG_LOG_SESSION_SECONDS": "6",
            "FLEETLOG_WAREHOUSE_URL": warehouse_url,
            "FLEETLOG_OBJECTS_URL": f"{s3_server.rstrip('/')}/{s3.bucket}",
            "FLEETLOG_QUERY_TOKEN_KEY": secrets.token_hex(32),
            "FLEETLOG_SERVER_PORT": "0",
        }
        yield Cluster(environment, kafka, warehouse_url, s3, path, stack)
