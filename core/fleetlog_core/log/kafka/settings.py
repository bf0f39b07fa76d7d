"""What has to be said of a Kafka cluster: where it is, who we are to it, and how the topics are made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fleetlog_core import limits
from fleetlog_core.log.port import CONTROL, DEAD_LETTERS, EVENTS

RECORD_BYTES = limits.FRAME_BYTES + 64 * 1024
"""The longest value of a record: a frame, and room for what the gateway adds to it."""
BATCH_BYTES = RECORD_BYTES + 64 * 1024
"""max.message.bytes of the topics: one record of that length with its key, in a batch of its own."""
_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,200}")
_COMPRESSIONS = ("lz4", "gzip", "none")
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")


@dataclass(frozen=True, slots=True)
class KafkaSecurity:
    """How a client proves who it is, and what it trusts. Secrets don't show in the repr."""

    protocol: str = "PLAINTEXT"
    """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
    mechanism: str | None = None
    """With SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    """PEM of what signs the brokers' certificates; None = what the system trusts."""
    certificate_file: str | None = None
    key_file: str | None = None
    key_password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.protocol not in _PROTOCOLS:
            raise ValueError(f"security protocol {self.protocol!r}: one of {', '.join(_PROTOCOLS)}")
        if self.protocol.startswith("SASL") and not (self.mechanism and self.username and self.password):
            raise ValueError(f"{self.protocol} needs mechanism, username and password")


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """The topics `<prefix>.events`, `<prefix>.control` and `<prefix>.dead-letters` of one cluster."""

    bootstrap: tuple[str, ...]
    """host:port of some brokers; the others are found through them."""
    prefix: str = "fleetlog"
    """Prefix of the names of topics and consumer groups, so that several fleetlogs can share a cluster."""
    partitions: int = 16
    """Partitions of the events topic. For good: with another number, a run's records would be in two partitions."""
    replication: int = 3
    retention_millis: int = -1
    """-1 = for ever, as an event log must; other values need `may_lose_events`."""
    may_lose_events: bool = False
    """Take topics whose settings lose events. Replays, rebuilds and rereads then lack what was dropped."""
    compression: str = "lz4"
    """lz4, gzip or none: of whole batches, by the producer."""
    linger_millis: int = 0
    """How long a batch waits for more. 0: what comes while a request is out makes the next batch anyway."""
    buffer_bytes: int = 64 * 1024 * 1024
    """Appends that are not durable yet; what comes above it fails at once with LogUnavailable."""
    connect_seconds: float = 15.0
    request_seconds: float = 10.0
    delivery_seconds: float = 30.0
    """An append that is not durable by then fails with LogUnavailable."""
    session_seconds: float = 10.0
    """A member of a consumer group that is silent for so long loses its partitions."""
    most_poll_seconds: float = 60.0
    """A member that does not poll for so long loses its partitions; the longest that a rebalance waits."""
    stuck_seconds: float = 30.0
    """A partition with records and without progress for so long is named by the watchdog."""
    security: KafkaSecurity = KafkaSecurity()

    def __post_init__(self) -> None:
        if not self.bootstrap or not all(":" in address for address in self.bootstrap):
            raise ValueError(f"bootstrap is host:port of at least one broker, not {self.bootstrap!r}")
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError(f"prefix {self.prefix[:100]!r}: 1 to 200 of letters, digits, '.', '_' and '-'")
        if self.partitions < 1 or self.replication < 1:
            raise ValueError(f"{self.partitions} partitions, replication {self.replication}: each at least 1")
        if self.compression not in _COMPRESSIONS:
            raise ValueError(f"compression {self.compression!r}: one of {', '.join(_COMPRESSIONS)}")
        if self.retention_millis != -1 and not self.may_lose_events:
            raise ValueError(
                f"retention_millis is {self.retention_millis:,}: an event log keeps everything (-1); may_lose_events"
                " takes it as it is"
            )
        if self.delivery_seconds < self.request_seconds + self.linger_millis / 1000:
            raise ValueError("delivery_seconds is at least request_seconds and the linger")

    def topic(self, topic: str) -> str:
        """Kafka's name of one of the port's topics."""
        return f"{self.prefix}.{topic}"

    def group(self, group: str) -> str:
        """Kafka's name of a consumer group."""
        return f"{self.prefix}.{group}"

    def counts(self) -> dict[str, int]:
        """Partitions of each of the port's topics."""
        return {EVENTS: self.partitions, CONTROL: 1, DEAD_LETTERS: 1}

    def topic_options(self) -> dict[str, str]:
        """What every topic is created with."""
        most = str(2**63 - 1)
        return {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_millis),
            "retention.bytes": "-1",
            # A majority: an acknowledged record is on more replicas than may fail at a time.
            "min.insync.replicas": str(self.replication // 2 + 1),
            "unclean.leader.election.enable": "false",
            "max.message.bytes": str(BATCH_BYTES),
            # A record's time is its writer's clock. By default one that is an hour ahead is refused.
            "message.timestamp.type": "CreateTime",
            "message.timestamp.before.max.ms": most,
            "message.timestamp.after.max.ms": most,
        }

    def connection(self) -> Mapping[str, object]:
        """The arguments that every kafka-python client takes."""
        security = self.security
        given: dict[str, object] = {
            "bootstrap_servers": list(self.bootstrap),
            "bootstrap_timeout_ms": int(self.connect_seconds * 1000),
            "client_id": "fleetlog",
            "request_timeout_ms": int(self.request_seconds * 1000),
            # 30 s by default: too long to notice that a broker is back.
            "reconnect_backoff_max_ms": 1_000,
            "security_protocol": security.protocol,
            "sasl_mechanism": security.mechanism,
            "sasl_plain_username": security.username,
            "sasl_plain_password": security.password,
            "ssl_cafile": security.ca_file,
            "ssl_certfile": security.certificate_file,
            "ssl_keyfile": security.key_file,
            "ssl_password": security.key_password,
        }
        return {name: value for name, value in given.items() if value is not None}
