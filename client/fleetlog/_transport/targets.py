"""Addresses of servers, as people write them, in the one form that gRPC takes."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

from fleetlog_core.errors import InvalidArgument, shown

DEFAULT_PORT = 7460
DEFAULT_TARGET = f"localhost:{DEFAULT_PORT}"
_GRPC = re.compile(r"(ipv4|ipv6|dns|unix|unix-abstract|vsock|xds):")
"""Addresses in gRPC's own notation: they are passed on as they are."""
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_PLAIN = ("http", "grpc")
_TLS = ("https", "grpcs")
_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^:\s/@?#,]+)(?::([0-9]+))?")


def resolve_target(target: str | None) -> str:
    """The server's address: the one given, $FLEETLOG_TARGET, or localhost:7460. InvalidArgument INVALID_TARGET."""
    if target is not None and not isinstance(target, str):
        raise _invalid(target, "is no text")
    return _normal(target or os.environ.get("FLEETLOG_TARGET") or DEFAULT_TARGET)


@lru_cache(maxsize=64)
def _normal(given: str) -> str:
    text = given.strip()
    if _GRPC.match(text):
        return text
    if url := _URL.match(text):
        scheme, text = url[1].lower(), text[url.end() :]
        if scheme in _TLS:
            raise _invalid(
                given, f"asks for TLS, which fleetlog does not speak yet: leave {url[0]} out for a server without"
            )
        if scheme not in _PLAIN:
            raise _invalid(given, f"begins with {url[0]}: leave it out")
    text = text.rstrip("/")
    if text.count(":") > 1 and not text.startswith("["):
        text = f"[{text}]"
    parts = _HOST_AND_PORT.fullmatch(text)
    if parts is None:
        raise _invalid(given, "has more or less than a host and a port")
    host, port = parts[1], int(parts[2] or DEFAULT_PORT)
    if not 0 < port < 1 << 16:
        raise _invalid(given, f"has port {port}, which is not 1 to 65535")
    if host.startswith("["):
        try:
            IPv6Address(host[1:-1].partition("%")[0])
        except AddressValueError:
            raise _invalid(given, f"has {shown(host)}, which is no IPv6 address") from None
    return f"{host}:{port}"


def _invalid(given: object, what: str) -> InvalidArgument:
    return InvalidArgument.of_field(
        "INVALID_TARGET", "target", f"{shown(given)} {what}; give host:port, such as {DEFAULT_TARGET}"
    )
