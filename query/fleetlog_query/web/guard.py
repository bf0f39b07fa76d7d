"""Who may ask at all: the rules of hosts, origins and content types, over a request's headers alone.

A page of another origin may neither read what is here nor change it, whatever name it gives this address by DNS
(rebinding), and whatever form it posts (forgery). No answer ever says that another origin may read it (CORS).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import grpc
from fleetlog_core.errors import shown

from fleetlog_query.web.failures import Failure, refusal

CONTENT_TYPES = ("application/json", "application/proto", "application/connect+json", "application/connect+proto")
READS = ("GET", "HEAD")
_DENIED = grpc.StatusCode.PERMISSION_DENIED


@dataclass(frozen=True)
class Guard:
    """The rules of one address."""

    hosts: Collection[str] = ()
    """Names, beside those of loopback, under which it may be asked, in lower case and without a port."""

    def check(self, method: str, headers: Mapping[str, str]) -> Failure | None:
        """Why the request is refused; None when it may pass. Names of headers are in lower case."""
        if (failure := self._check_host(headers)) is not None:
            return failure
        if method in READS:
            return None
        if method != "POST":
            return refusal(
                HTTPStatus.METHOD_NOT_ALLOWED, grpc.StatusCode.UNIMPLEMENTED, "METHOD_NOT_ALLOWED",
                f"{shown(method)} is not GET, HEAD or POST; calls are POST",
            )  # fmt: skip
        if (failure := _check_origin(headers, required=False)) is not None:
            return failure
        site = headers.get("sec-fetch-site", "same-origin")
        if site != "same-origin":
            return refusal(
                HTTPStatus.FORBIDDEN, _DENIED, "FOREIGN_SITE",
                f"Sec-Fetch-Site: {shown(site)} is not same-origin; ask from a page of this address, or from a program",
            )  # fmt: skip
        return None

    def check_socket(self, headers: Mapping[str, str]) -> Failure | None:
        """As `check`, for a WebSocket: browsers let any page open one, and always say of which origin it is."""
        return self._check_host(headers) or _check_origin(headers, required=True)

    def _check_host(self, headers: Mapping[str, str]) -> Failure | None:
        host = headers.get("host", "")
        name = host_name(host)
        if name in self.hosts or is_loopback(name):
            return None
        return refusal(
            HTTPStatus.FORBIDDEN, _DENIED, "HOST_NOT_ALLOWED",
            f"Host: {shown(host)} is none of this server's names; ask under localhost, or name it in web.hosts",
        )  # fmt: skip


def wrong_content_type(content_type: str, accepted: Collection[str] = CONTENT_TYPES) -> Failure:
    """The refusal of a POST of a type: forms of other pages can be posted as some types, and none of those is taken."""
    return refusal(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, grpc.StatusCode.INVALID_ARGUMENT, "CONTENT_TYPE_INVALID",
        f"content-type: {shown(content_type)} is not {' or '.join(accepted)}",
    )  # fmt: skip


def media_type(content_type: str) -> str:
    """The type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def host_name(host: str) -> str:
    """The name in a Host header, without the port, in lower case; of an IPv6 address without its brackets."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") == 1 else host


def is_loopback(name: str) -> bool:
    """True if the name can only mean this machine."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _check_origin(headers: Mapping[str, str], *, required: bool) -> Failure | None:
    origin = headers.get("origin")
    if origin is None and not required:
        return None
    scheme, _, rest = (origin or "").partition("://")
    if scheme in ("http", "https") and rest.lower() == headers.get("host", "").strip().lower():
        return None
    return refusal(
        HTTPStatus.FORBIDDEN, _DENIED, "FOREIGN_ORIGIN",
        f"Origin: {shown(origin or 'none')} is not this address; ask from a page of it, or from a program",
    )  # fmt: skip
