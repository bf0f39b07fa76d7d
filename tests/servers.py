"""Real servers for the tests that need them: Kafka, ClickHouse, and an S3 store.

    FLEETLOG_TEST_KAFKA         host:port,…                                   fixture kafka_server
    FLEETLOG_TEST_CLICKHOUSE    clickhouse://user:password@host:port/database fixture clickhouse_server
    FLEETLOG_TEST_S3            http://access-key:secret-key@host:port        fixture s3_server

Tests that kill brokers want three of their own, which nobody else uses meanwhile, and whoever started those to say how:

    FLEETLOG_TEST_KAFKA_BROKERS          host:port,host:port,host:port        fixture kafka_brokers
    FLEETLOG_TEST_KAFKA_BROKERS_COMMAND  docker {verb} kafka-{number}         verbs: kill, start; numbers: 1, 2, 3

A server that is named is used; it may be shared and outlives the tests, so a test makes topics, databases and
buckets of its own (`unique`) and removes them. Else one is started in a container, where Docker runs. Else its tests
are skipped and the summary says so in one line; with FLEETLOG_REQUIRE_SERVERS=1 they fail instead. The three
brokers are never started here, and only FLEETLOG_REQUIRE_SERVERS=brokers, which is 1 and more, fails without them.
Their tests have the mark `brokers`; `make test-brokers` runs them alone.

Tests that start a program themselves, such as PostgreSQL (tests/postgres.py), are skipped and told alike without it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import NoReturn

import pytest

KAFKA, CLICKHOUSE, S3 = "FLEETLOG_TEST_KAFKA", "FLEETLOG_TEST_CLICKHOUSE", "FLEETLOG_TEST_S3"
BROKERS, BROKERS_COMMAND = "FLEETLOG_TEST_KAFKA_BROKERS", "FLEETLOG_TEST_KAFKA_BROKERS_COMMAND"
MISSING = "no Docker, and not set: "
NOT_STARTED_HERE = "not set: "
NOT_INSTALLED = "not installed: "
REQUIRED = os.environ.get("FLEETLOG_REQUIRE_SERVERS", "")
"""What has to be there: "1" the servers, "brokers" the three brokers too, "" nothing."""


def unique(prefix: str = "test") -> str:
    """A name of the test's own: a topic prefix, a bucket; with `-` as `_`, a database."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[str]:
    """The bootstrap servers of a Kafka cluster that creates no topics by itself."""
    with _server(KAFKA, _kafka_container) as bootstrap:
        yield bootstrap


@pytest.fixture(scope="session")
def clickhouse_server() -> Iterator[str]:
    """The URL of a ClickHouse server's native TCP port; its database is there, others may be created."""
    with _server(CLICKHOUSE, _clickhouse_container) as url:
        yield url


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The URL of an S3 store with its keys; buckets may be created."""
    with _server(S3, _s3_container) as url:
        yield url


@dataclass(frozen=True)
class Brokers:
    """Three brokers of one cluster, which a test may kill. It leaves all of them running."""

    bootstrap: str
    command: str

    def kill(self, number: int) -> None:
        """SIGKILL, and it is gone. Numbers are 1 to 3."""
        self._run("kill", number)

    def start(self, number: int) -> None:
        """Again, on what it stored; when one runs, nothing."""
        self._run("start", number)

    def _run(self, verb: str, number: int) -> None:
        command = shlex.split(self.command.format(verb=verb, number=number))
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)


@pytest.fixture(scope="session")
def kafka_brokers() -> Brokers:
    """A Kafka cluster of three brokers that creates no topics by itself."""
    bootstrap, command = os.environ.get(BROKERS, ""), os.environ.get(BROKERS_COMMAND, "")
    if not bootstrap or not command:
        missing = f"{NOT_STARTED_HERE}{BROKERS} and {BROKERS_COMMAND}"
        if REQUIRED == "brokers":
            pytest.fail(f"{missing}; FLEETLOG_REQUIRE_SERVERS={REQUIRED} asks for them", pytrace=False)
        pytest.skip(missing)
    assert len(bootstrap.split(",")) == 3, f"{BROKERS} names three"
    return Brokers(bootstrap, command)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line nobody overlooks when tests of real servers did not run."""
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", ())]
    missing = [text for text in skipped if MISSING in text]
    alone = len([text for text in skipped if NOT_STARTED_HERE in text]) - len(missing)
    programs = sorted({text.partition(NOT_INSTALLED)[2] for text in skipped if NOT_INSTALLED in text})
    if programs:
        told = "; ".join(program.strip("')") for program in programs)
        terminalreporter.write_line(f"NOT TESTED: programs are missing: {told}", red=True, bold=True)
    if alone:
        terminalreporter.write_line(
            f"NOT TESTED: {alone} tests of three brokers were skipped; set {BROKERS} (tests/servers.py)", bold=True
        )
    if missing:
        names = [name for name in (KAFKA, CLICKHOUSE, S3) if any(f"{MISSING}{name}" in text for text in missing)]
        terminalreporter.write_line(
            f"NOT TESTED: {len(missing)} tests of real servers were skipped. Run them: start Docker,"
            f" or set {', '.join(names)} (tests/servers.py)",
            red=True,
            bold=True,
        )


def missing_program(name: str, mend: str) -> NoReturn:
    """Skips the test that wants a program that is not there; or fails it, where servers are asked for."""
    text = f"{NOT_INSTALLED}{name} ({mend})"
    if REQUIRED:
        pytest.fail(f"{text}; FLEETLOG_REQUIRE_SERVERS={REQUIRED} asks for it", pytrace=False)
    pytest.skip(text)


@contextmanager
def _server(variable: str, container: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    address = os.environ.get(variable)
    if address:
        yield address
    elif _docker_runs():
        with container() as address:
            yield address
    elif REQUIRED in ("1", "brokers"):
        pytest.fail(f"{MISSING}{variable}; FLEETLOG_REQUIRE_SERVERS={REQUIRED} asks for it", pytrace=False)
    else:
        pytest.skip(f"{MISSING}{variable}")


def _docker_runs() -> bool:
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@contextmanager
def _kafka_container() -> Iterator[str]:
    from testcontainers.community.kafka import KafkaContainer

    container = KafkaContainer("confluentinc/cp-kafka:7.9.0").with_kraft()
    with container.with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false") as running:
        yield running.get_bootstrap_server()


@contextmanager
def _clickhouse_container() -> Iterator[str]:
    from testcontainers.community.clickhouse import ClickHouseContainer

    image = "clickhouse/clickhouse-server:25.8"
    with ClickHouseContainer(image, username="fleetlog", password="fleetlog", dbname="fleetlog") as running:
        yield running.get_connection_url()


@contextmanager
def _s3_container() -> Iterator[str]:
    from testcontainers.community.minio import MinioContainer

    image = "minio/minio:RELEASE.2025-04-22T22-12-26Z"
    with MinioContainer(image, access_key="fleetlog", secret_key="fleetlog-secret") as running:
        yield f"http://fleetlog:fleetlog-secret@{running.get_config()['endpoint']}"
