"""How to reach a ClickHouse server."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

PORT, SECURE_PORT = 9000, 9440
_CLUSTER = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DATABASE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
_GENERATION = re.compile(r"(.+)_g[0-9]+")
URL_DATABASE_CHARACTERS = 64
"""Maximum for the name in a URL: generations have something at its end."""
_SCHEMES = {"clickhouse": False, "clickhouses": True}


@dataclass(frozen=True, slots=True)
class ClickHouseSettings:
    """One server, or one address that stands for several. ValueError names the field that is wrong."""

    host: str = "127.0.0.1"
    """Name or address."""
    port: int = PORT
    """Port of the native protocol: 9000, with TLS 9440. The HTTP port (8123) is another."""
    database: str = "fleetlog"
    """fleetlog's own: letters, digits, `_`. Made by the first migration when it is not there.

    Where rows of it were lost, those with `_g2` and so on at the end take its place (generations.py)."""
    user: str = "default"
    """Needs SELECT, INSERT, CREATE and ALTER on the database, and on those of later generations."""
    password: str = field(default="", repr=False)
    """Never shown."""
    secure: bool = False
    """TLS, with the server's certificate verified."""
    ca_path: Path | None = None
    """Certificates to trust; None: the system's."""
    compress: bool = False
    """LZ4 between here and the server: worth it over a network slower than 10 Gbit/s, 20 % lost on loopback."""
    cluster: str | None = None
    """The cluster's name in the servers' configuration (system.clusters): tables are sharded and replicated over it.

    None: one server. To be decided before the first migration."""
    connections: int = 8
    """The most that are open at one time; calls beyond wait for one."""
    connect_timeout_seconds: float = 5.0
    """For a connection, its TLS handshake and its greeting."""
    insert_timeout_seconds: float = 60.0
    """The longest silence of the server while it takes an insert or a statement of a migration."""

    def __post_init__(self) -> None:
        if not self.host:
            raise ValueError("host: it is empty; name the ClickHouse server")
        if not 0 < self.port < 65536:
            raise ValueError(f"port: {self.port} is not in 1..65535")
        if not _DATABASE.fullmatch(self.database):
            raise ValueError(f"database: {self.database[:100]!r} is not of letters, digits and _, at most 80")
        if self.cluster is not None and not _CLUSTER.fullmatch(self.cluster):
            raise ValueError(f"cluster: {self.cluster[:100]!r} is not of letters, digits, _ and -, at most 64")
        if self.connections < 1:
            raise ValueError(f"connections: {self.connections} is less than 1")
        if self.ca_path is not None and not self.secure:
            raise ValueError("ca_path: there is no TLS to trust it for; use secure, or clickhouses://")

    @classmethod
    def from_url(cls, url: str) -> ClickHouseSettings:
        """`clickhouse://user:password@host:port/database`; `clickhouses://` with TLS, and then `?ca=/path`.

        Other options: `compress=1`, `cluster=name`.
        What stands in user and password as %40 and the like is decoded. ValueError never repeats the password.
        """
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES:
            raise ValueError(f"the URL's scheme is {parts.scheme[:20]!r}; it must be clickhouse:// or clickhouses://")
        options = dict(parse_qsl(parts.query))
        if unknown := sorted(options.keys() - {"ca", "cluster", "compress"}):
            raise ValueError(f"the URL's option {unknown[0][:20]!r} is not known; there are ca, cluster and compress")
        database = parts.path.strip("/") or "fleetlog"
        if len(database) > URL_DATABASE_CHARACTERS:
            raise ValueError(f"database: {database[:100]!r} has more than {URL_DATABASE_CHARACTERS} characters")
        if generation := _GENERATION.fullmatch(database):
            raise ValueError(
                f"database: {database!r} is a generation of {generation[1]!r}: name that one, its current generation"
                " is found by itself"
            )
        secure = _SCHEMES[parts.scheme]
        try:
            port = parts.port
        except ValueError:
            raise ValueError("port: it is not a number in 1..65535") from None
        return cls(
            host=parts.hostname or "",
            port=port or (SECURE_PORT if secure else PORT),
            database=database,
            user=unquote(parts.username or "default"),
            password=unquote(parts.password or ""),
            secure=secure,
            ca_path=Path(options["ca"]) if "ca" in options else None,
            cluster=options.get("cluster"),
            compress=options.get("compress", "0") in ("1", "true"),
        )
