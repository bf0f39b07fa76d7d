"""Every setting, with its unit in its name, its default and its limits.

In a TOML file `[warehouse] url`, in the environment FLEETLOG_WAREHOUSE_URL. Secrets may stand in files of their own:
`url_file`, FLEETLOG_WAREHOUSE_URL_FILE.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from fleetlog_core.limits import LOST_SECONDS
from fleetlog_ingest.materializer.loop.batching import BatchPolicy
from fleetlog_ingest.materializer.loop.lost_runs import LOOK_SECONDS

from fleetlog_deploy.settings.limit import Limit, Range, choices, matches, url_of

KAFKA_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")

_BY_NAMESPACE = r"([a-z0-9_-]{1,64}=[0-9]{1,7}(,[a-z0-9_-]{1,64}=[0-9]{1,7})*)?"


_KEYS = matches(
    "([0-9a-f]{64}(,[0-9a-f]{64}){0,3})?",
    "64 hexadecimal digits (openssl rand -hex 32), or up to 4 of them with commas",
)


def keys_of(text: str) -> tuple[bytes, ...]:
    """Keys of a setting that may have several."""
    return tuple(bytes.fromhex(one) for one in text.split(","))


def setting(default: Any, limit: Limit | None = None, *, secret: bool = False) -> Any:
    """A field with its limit. `secret`: it is never shown; of a URL, its user and password are not."""
    return field(default=default, metadata={"limit": limit, "secret": secret}, repr=not secret)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The event log."""

    url: str = setting("", url_of("sqlite:DIRECTORY", "kafka://host:port,host:port/prefix"))
    """sqlite: for one process, kafka:// for any number."""
    delivery_seconds: float = setting(30.0, Range(1, 3_600))
    """An append to Kafka that is not durable by then fails, and the client sends it again."""
    session_seconds: float = setting(10.0, Range(6, 300))
    """A materializer that is silent for so long loses its partitions to the others."""


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """Who we are to Kafka's brokers, and what we trust."""

    protocol: str = setting("PLAINTEXT", choices(*KAFKA_PROTOCOLS))
    mechanism: str = setting("", choices("", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"))
    username: str = ""
    password: str = setting("", secret=True)
    ca_file: str = ""
    """PEM of what signs the brokers' certificates; empty: what the system trusts."""
    certificate_file: str = ""
    key_file: str = ""
    key_password: str = setting("", secret=True)


@dataclass(frozen=True, slots=True)
class WarehouseSettings:
    """The tables."""

    url: str = setting(
        "", url_of("chdb:DIRECTORY", "clickhouse://user:password@host:port/database", "clickhouses://…"), secret=True
    )
    """chdb: for one process, clickhouse:// (clickhouses:// with TLS, `?ca=FILE` what to trust) for any number."""
    password: str = setting("", secret=True)
    """Password of the URL's user, when it is not in the URL."""
    connections: int = setting(8, Range(1, 1_000))
    """To a ClickHouse server, of each process."""
    applied_poll_millis: int = setting(10, Range(1, 10_000))
    """How often a process looks at how far the tables are, while somebody waits for what was written."""


@dataclass(frozen=True, slots=True)
class ObjectsSettings:
    """The bytes of artifacts."""

    url: str = setting("", url_of("folder:DIRECTORY", "https://key:secret@host:port/bucket", "http://…"), secret=True)
    """folder: on one machine, http:// and https:// an S3 store, for any number of machines."""
    access_key: str = setting("", secret=True)
    """Access key of an S3 store, when the URL has no keys."""
    secret_key: str = setting("", secret=True)
    """As access_key."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The gRPC port."""

    host: str = "127.0.0.1"
    """Beyond loopback it takes TLS and who may do what ([auth], or client_ca_file), or `insecure`."""
    port: int = setting(7460, Range(0, 65_535))
    """0: a free one."""
    drain_seconds: float = setting(10.0, Range(0, 600))
    """How long calls may go on after SIGTERM."""
    connection_age_seconds: float = setting(0.0, Range(0, 86_400))
    """Clients connect anew after about so long, so that they spread over servers that came later; 0: never."""
    certificate_file: str = ""
    """PEM of the port's certificate, and those between it and its CA; read again when it changes. Empty: no TLS."""
    key_file: str = ""
    """PEM of its key, without a password."""
    client_ca_file: str = ""
    """PEM of the CA of clients' certificates: without one nobody is served. Empty: clients need none."""
    insecure: bool = False
    """Listen beyond loopback all the same: without [auth] whoever reaches the port can read and write everything,
    without TLS whoever is on the way reads it, tokens included."""


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """Who may do what: docs/security.md."""

    enabled: bool = False
    """Whether calls need a token."""
    admin_token: str = setting("", matches("(\\S{32,})?", "32 characters or more: openssl rand -hex 32"), secret=True)
    """A token that may do everything, for making the first ones. `fleetlog up --auth` has its own in `admin.token`."""
    jwt_issuer: str = ""
    """Issuer, `iss` of an identity provider's tokens. Empty: there is none."""
    jwt_audience: str = ""
    """`aud` that its tokens must be for."""
    jwt_keys_url: str = setting("", url_of("https://…", "http://localhost/…"))
    """Where its JSON Web Key Set is."""
    jwt_rules: str = ""
    """What claims are worth: `groups=ml-team: writer@vision, reader@*; groups=admins: admin@*`."""
    jwt_principal_claim: str = "sub"
    """Claim that names whoever calls."""


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """The HTTP port with /metrics, /healthz and /readyz."""

    host: str = "127.0.0.1"
    port: int | None = setting(None, Range(0, 65_535))
    """Not set: none; 0: a free one."""
    certificate_file: str = ""
    """PEM of the port's certificate, which may be that of server.certificate_file; read again when it changes. Empty:
    no TLS."""
    key_file: str = ""
    """PEM of its key, without a password."""


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The HTTP port with the web UI and the calls of every language."""

    host: str = "127.0.0.1"
    port: int | None = setting(None, Range(0, 65_535))
    """0: none. Not set: 7461, of `fleetlog up` a free one where that is taken."""
    hosts: str = setting("", matches(r"[A-Za-z0-9.:_-]+(,[A-Za-z0-9.:_-]+)*|", "names with commas between them"))
    """Names under which browsers ask, beside those of this machine; others are refused, since any name can be made to
    lead here."""
    certificate_file: str = ""
    """PEM of the port's certificate, and those between it and its CA; read again when it changes. Empty: no TLS."""
    key_file: str = ""
    """PEM of its key, without a password."""
    url: str = setting("", url_of("https://host", "http://host:port"))
    """Address of the web UI that browsers reach, told to clients, whose notebooks link there. Empty: that of the port
    above where one process serves both."""
    query: str = ""
    """host:port, or fleetlogs://host:port for TLS, of the query service that it asks; empty: of this process."""
    ingest: str = ""
    """As `query`, of the gateway that it gives what is written; empty: of this process."""
    ca_file: str = ""
    """PEM file of the CA that certificates of those servers are of; empty: those that the system trusts."""
    client_calls: int = setting(64, Range(1, 100_000))
    """Calls that one client, by its address, may have under way: a proxy counts as one client."""
    client_sockets: int = setting(8, Range(1, 100_000))
    """WebSockets that one client may have open."""


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """What is told to others of the work of a process."""

    traces_endpoint: str = setting("", url_of("http://host:4317", "https://…"))
    """Where OpenTelemetry traces go, by OTLP over gRPC. Empty: where OTEL_EXPORTER_OTLP_ENDPOINT says, or nowhere."""


@dataclass(frozen=True, slots=True)
class DiagnosticsSettings:
    """What a process writes about its work."""

    format: str = setting("text", choices("text", "json"))
    level: str = setting("info", choices("debug", "info", "warning", "error"))


@dataclass(frozen=True, slots=True)
class MaterializerSettings:
    """How the log becomes tables."""

    group: str = setting("materializer", matches("[A-Za-z0-9._-]{1,100}", "letters, digits, '.', '_' and '-'"))
    """Materializers of one group share the log. Tables that are folded anew need a group of their own."""
    batch_rows: int = setting(BatchPolicy().target_weight, Range(1, BatchPolicy().max_weight))
    """Rows that are enough for an insert."""
    batch_wait_seconds: float = setting(BatchPolicy().max_wait_seconds, Range(0, 60))
    """The longest that a record waits for others under load."""
    unread_rest_seconds: float = setting(2.0, Range(0, 60))
    """Seconds that `fleetlog up` pauses between two small batches while nobody reads. Who waits for a write ends
    it, and so does the first of several reads; a read without a position may miss what came during the pause."""
    lost_seconds: float = setting(LOST_SECONDS, Range(0, 2_592_000))
    """Seconds without a word of its writers after which a run is LOST, until one is heard of again; 0: never. They say
    that they live three times as often, which gateways tell them: so all parts of a fleet need the same value."""
    lost_seconds_of: str = setting(
        "", matches(_BY_NAMESPACE, "namespace=seconds,namespace=seconds, such as nightly=3600,sandbox=0")
    )
    """As lost_seconds, of namespaces that have a time of their own."""

    @property
    def look_seconds(self) -> float:
        """Seconds between two looks for runs that are lost."""
        return max(0.5, min(LOOK_SECONDS, self.lost_seconds / 4)) if self.lost_seconds else LOOK_SECONDS

    def lost_seconds_by(self, namespace: str) -> float:
        """Seconds after which runs of a namespace are lost; 0: never."""
        of = dict(one.split("=") for one in self.lost_seconds_of.split(",") if one)
        return float(of.get(namespace, self.lost_seconds))


@dataclass(frozen=True, slots=True)
class QuerySettings:
    """The query service."""

    token_key: str = setting("", _KEYS, secret=True)
    """What page tokens are signed with: the same in every query process. Of several the first signs, and what any of
    them signed is taken."""
    answer_bytes: int = setting(512 * 1024 * 1024, Range(64 * 1024 * 1024, 1 << 40))
    """Memory that streams of answers may hold in a process; beyond it new ones wait, then RESOURCE_EXHAUSTED."""
    client_answer_bytes: int = setting(256 * 1024 * 1024, Range(64 * 1024 * 1024, 1 << 40))
    """The share of it that streams of one caller may hold; without [auth], of one connection."""
    held_bytes: int = setting(256 * 1024 * 1024, Range(0, 1 << 40))
    """Memory for columns and documents of runs that are kept for the next read in a process; 0: none are kept."""


@dataclass(frozen=True, slots=True)
class WebhooksSettings:
    """Who is told of changes of registered models."""

    secret_key: str = setting("", _KEYS, secret=True)
    """What secrets of webhooks are encrypted with before they reach the log: the same in gateways and deliverers. Of
    several the first encrypts, and what any of them encrypted is read."""
    group: str = setting("webhooks", matches("[A-Za-z0-9._-]{1,100}", "letters, digits, '.', '_' and '-'"))
    """Deliverers of one group share the work."""
    allow_http: bool = False
    """Whether targets may be http:// URLs, which anybody on the way can read."""
    allow_private: bool = False
    """Whether targets may be in the server's own network: private, loopback and link-local addresses."""


@dataclass(frozen=True, slots=True)
class LimitsSettings:
    """What one caller may have of a process, and all callers of a namespace together: docs/security.md. 0 = any.

    A caller is a principal, or without [auth] an address. The file is read again when it changes."""

    calls_per_second: float = setting(0.0, Range(0, 1e6))
    """Calls that begin; a stream is one."""
    points_per_second: float = setting(0.0, Range(0, 1e12))
    """Points that are logged."""
    bytes_per_second: float = setting(0.0, Range(0, 1e12))
    """Bytes of messages that write, files that are uploaded through the server among them."""
    rows_per_second: float = setting(0.0, Range(0, 1e12))
    """Rows that the warehouse reads."""
    read_seconds_per_second: float = setting(0.0, Range(0, 1_000))
    """Seconds that statements to the warehouse take, those at a time added: 2.0 are two threads all the time."""
    streams: int = setting(0, Range(0, 1_000_000))
    """Streams that are open, but for watches; each process that trains has one."""
    watches: int = setting(0, Range(0, 1_000_000))
    """Searches that are watched live."""
    namespace_calls_per_second: float = setting(0.0, Range(0, 1e6))
    namespace_points_per_second: float = setting(0.0, Range(0, 1e12))
    namespace_bytes_per_second: float = setting(0.0, Range(0, 1e12))
    namespace_rows_per_second: float = setting(0.0, Range(0, 1e12))
    namespace_read_seconds_per_second: float = setting(0.0, Range(0, 1_000))
    namespace_streams: int = setting(0, Range(0, 1_000_000))
    namespace_watches: int = setting(0, Range(0, 1_000_000))
    namespace_stored_runs: int = setting(0, Range(0, 10**12))
    """Runs, deleted ones among them until they are purged."""
    namespace_artifact_bytes: int = setting(0, Range(0, 10**18))
    """Bytes of files that were not deleted."""
    burst_seconds: float = setting(10.0, Range(0.1, 3_600))
    """Seconds' worth of a rate that may be used at once."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All of them, by section."""

    log: LogSettings = LogSettings()
    kafka: KafkaSettings = KafkaSettings()
    warehouse: WarehouseSettings = WarehouseSettings()
    objects: ObjectsSettings = ObjectsSettings()
    server: ServerSettings = ServerSettings()
    auth: AuthSettings = AuthSettings()
    metrics: MetricsSettings = MetricsSettings()
    web: WebSettings = WebSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    diagnostics: DiagnosticsSettings = DiagnosticsSettings()
    materializer: MaterializerSettings = MaterializerSettings()
    query: QuerySettings = QuerySettings()
    webhooks: WebhooksSettings = WebhooksSettings()
    limits: LimitsSettings = LimitsSettings()


@dataclass(frozen=True, slots=True)
class Key:
    """One setting: where it stands, what it may be."""

    section: str
    name: str
    kind: type
    default: object
    limit: Limit | None
    secret: bool

    def __str__(self) -> str:
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return f"FLEETLOG_{self.section}_{self.name}".upper()


def sections() -> dict[str, Any]:
    """The class of each section."""
    return {one.name: type(one.default) for one in fields(Settings)}


def _kind(annotation: str) -> type:
    return {"str": str, "int": int, "int | None": int, "float": float, "bool": bool}[annotation]


KEYS: dict[str, Key] = {
    f"{section}.{one.name}": Key(
        section, one.name, _kind(str(one.type)), one.default, one.metadata.get("limit"),
        bool(one.metadata.get("secret")),
    )
    for section, settings in sections().items()
    for one in fields(settings)
}  # fmt: skip
"""Every setting by "section.name"."""
