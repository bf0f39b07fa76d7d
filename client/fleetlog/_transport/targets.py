"""Addresses of servers, as people write them, in the one form that gRPC takes."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.rules.names import check_namespace

from fleetlog.errors import TLS_SCHEME

DEFAULT_PORT = 7460
DEFAULT_TARGET = f"localhost:{DEFAULT_PORT}"
_GRPC = re.compile(r"(ipv4|ipv6|dns|unix|unix-abstract|vsock|xds):")
"""Addresses in gRPC's own notation: they are passed on as they are."""
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_PLAIN = ("http", "grpc", "fleetlog")
_TLS = ("https", "grpcs", "fleetlogs")
_WITH_NAMESPACE = ("fleetlog", "fleetlogs")
"""Schemes behind whose address a namespace may stand."""
_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^:\s/@?#,]+)(?::([0-9]+))?")


def resolve_target(target: str | None) -> str:
    """The server's address: the one given, $FLEETLOG_TARGET, or localhost:7460; with fleetlogs:// before it for TLS.
    InvalidArgument INVALID_TARGET."""
    return _normal(_given(target))[0]


def namespace_of(target: str | None) -> str:
    """The namespace that an address has behind it, as in fleetlogs://host:port/vision; "" = none. InvalidArgument."""
    return _normal(_given(target))[1]


def uses_tls(address: str) -> bool:
    """True if what `resolve_target` gave is spoken to with TLS."""
    return address.startswith(TLS_SCHEME)


def dialed(address: str) -> str:
    """What gRPC dials, of what `resolve_target` gave."""
    return address.removeprefix(TLS_SCHEME)


def _given(target: str | None) -> str:
    if target is not None and not isinstance(target, str):
        raise _invalid(target, "is no text")
    return target or os.environ.get("FLEETLOG_TARGET") or DEFAULT_TARGET


@lru_cache(maxsize=64)
def _normal(given: str) -> tuple[str, str]:
    """The address, and the namespace behind it."""
    text, before, namespace = given.strip(), "", ""
    if _GRPC.match(text):
        return text, ""
    if url := _URL.match(text):
        scheme, text = url[1].lower(), text[url.end() :]
        if scheme not in (*_PLAIN, *_TLS):
            raise _invalid(given, f"begins with {url[0]}: leave it out")
        if scheme in _TLS:
            before = TLS_SCHEME
            if _GRPC.match(text):
                return before + text, ""
        if scheme in _WITH_NAMESPACE:
            text, _, namespace = text.partition("/")
            namespace = namespace.strip("/")
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
    if namespace:
        check_namespace(namespace)
    return f"{before}{host}:{port}", namespace


def _invalid(given: object, what: str) -> InvalidArgument:
    return InvalidArgument.of_field(
        "INVALID_TARGET",
        "target",
        f"{shown(given)} {what}; give host:port, such as {DEFAULT_TARGET}, or fleetlogs://host:port for TLS",
    )
