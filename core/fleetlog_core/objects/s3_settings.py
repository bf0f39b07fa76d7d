"""How to reach an S3 store: Amazon's, MinIO, or another that speaks it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+")


@dataclass(frozen=True, slots=True)
class S3Settings:
    """One bucket. ValueError names the field that is wrong, and never repeats a key."""

    endpoint: str
    """`https://host[:port]`, or `http://` inside a network of one's own."""
    access_key: str = field(repr=False)
    """Needs to read, write, list and delete in the bucket; to make it when it is not there."""
    secret_key: str = field(repr=False)
    """Never shown."""
    bucket: str = "fleetlog"
    """Made by the first call when it is not there. Others may use it too: fleetlog has `objects/` and `uploads/`."""
    region: str = "us-east-1"
    """What requests are signed for; MinIO's default is the same."""
    ca_path: Path | None = None
    """Certificates to trust; None: the system's."""
    public_endpoint: str | None = None
    """Where clients reach the store for uploads of their own, when that is another address than `endpoint`."""
    connections: int = 16
    """Kept open for the next call; more are made when more are needed."""
    connect_timeout_seconds: float = 5.0
    """For a connection and its TLS handshake."""
    read_timeout_seconds: float = 30.0
    """The longest silence of the store."""

    def __post_init__(self) -> None:
        for name, address in (("endpoint", self.endpoint), ("public_endpoint", self.public_endpoint)):
            if address is not None and not _ADDRESS.fullmatch(address):
                raise ValueError(f"{name}: it is not http://host:port or https://host:port, without a path")
        if not self.access_key or not self.secret_key:
            raise ValueError("access_key, secret_key: one is empty; both are needed")
        if not _BUCKET.fullmatch(self.bucket):
            raise ValueError(f"bucket: {self.bucket[:100]!r} is not 3 to 63 of a-z 0-9 - . between letters or digits")
        if self.ca_path is not None and not self.endpoint.startswith("https:"):
            raise ValueError("ca_path: there is no TLS to trust it for; use https://")
        if self.connections < 1:
            raise ValueError(f"connections: {self.connections} is less than 1")

    @classmethod
    def from_url(cls, url: str) -> S3Settings:
        """`https://access-key:secret-key@host:port/bucket?region=…&ca=/path&public=https://…`; or `http://`.

        What stands in a key as %2F and the like is decoded.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise ValueError(f"the URL's scheme is {parts.scheme[:20]!r}; it must be https:// or http://")
        options = dict(parse_qsl(parts.query))
        if unknown := sorted(options.keys() - {"ca", "public", "region"}):
            raise ValueError(f"the URL's option {unknown[0][:20]!r} is not known; there are ca, public and region")
        return cls(
            endpoint=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
            access_key=unquote(parts.username or ""),
            secret_key=unquote(parts.password or ""),
            bucket=parts.path.strip("/") or "fleetlog",
            region=options.get("region", "us-east-1"),
            ca_path=Path(options["ca"]) if "ca" in options else None,
            public_endpoint=options.get("public"),
        )
