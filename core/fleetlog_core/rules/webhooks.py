"""Webhooks: what may be asked of them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, shown

EVENTS = (
    "registered_model.created", "registered_model_tag.set", "registered_model_tag.deleted",
    "model_version.created", "model_version.transitioned", "model_version_tag.set", "model_version_tag.deleted",
    "model_version_alias.created", "model_version_alias.deleted",
    "prompt.created", "prompt_tag.set", "prompt_tag.deleted", "prompt_version.created", "prompt_version_tag.set",
    "prompt_version_tag.deleted", "prompt_alias.created", "prompt_alias.deleted",
    "comment.created", "approval.requested", "approval.approved", "approval.rejected",
)  # fmt: skip
"""What a webhook can be told of. Prompts are models with the tag mlflow.prompt.is_prompt."""
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_HIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\]")


def check_webhook_name(name: str) -> None:
    """NAME_INVALID."""
    if not _NAME.fullmatch(name):
        raise InvalidArgument.of_field(
            "NAME_INVALID",
            "name",
            f"{shown(name)} is not 1 to 63 letters, digits, '.', '_' and '-' with a letter or digit first and last;"
            " rename it",
        )


def check_webhook_url(url: str, *, allow_http: bool, allow_private: bool) -> SplitResult:
    """Returns the parts of a URL that may be told of changes. URL_INVALID, URL_TOO_LONG.

    A host that is a name is looked at again, by the address that it has then, when something is sent.
    """
    if len(url) > limits.WEBHOOK_URL_CHARACTERS:
        raise InvalidArgument.of_field(
            "URL_TOO_LONG",
            "url",
            f"{shown(url)} has {len(url):,} characters, at most {limits.WEBHOOK_URL_CHARACTERS:,}; shorten it",
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _invalid(url, "is no URL; give https://host/path") from None
    # First: no other message may show a password.
    if parts.username is not None or parts.password is not None:
        raise _invalid("https://…@…", "has a user or password in it; leave them out, deliveries are signed")
    if parts.scheme not in ("https", "http"):
        raise _invalid(url, "is no https:// URL")
    if parts.scheme == "http" and not allow_http:
        raise _invalid(url, "is not encrypted; give an https:// URL, or let the server allow http")
    if _HIDDEN.search(url) or not url.isascii():
        raise _invalid(url, "has a space or another character that must be written as %XX; write it so")
    if not host or port == 0:
        raise _invalid(url, "has no host; give https://host/path")
    if parts.fragment:
        raise _invalid(url, "has a fragment, which is never sent; leave it out")
    if not allow_private and not _may_be_public(host):
        raise _invalid(url, "is an address of the server's own network; give a public one, or let the server allow it")
    return parts


def check_webhook_events(events: Sequence[str], field: str = "events") -> None:
    """EVENT_UNKNOWN, OVER_LIMIT."""
    if len(events) > limits.WEBHOOK_EVENTS:
        raise InvalidArgument.of_field(
            "OVER_LIMIT", field, f"{len(events):,}, at most {limits.WEBHOOK_EVENTS}; give fewer"
        )
    for place, event in enumerate(events):
        check_webhook_event(event, f"{field}[{place}]")


def check_webhook_event(event: str, field: str) -> None:
    """EVENT_UNKNOWN."""
    if event not in EVENTS:
        raise InvalidArgument.of_field(
            "EVENT_UNKNOWN", field, f"{shown(event)} is no event; give some of {', '.join(EVENTS)}"
        )


def check_webhook_secret(secret: str) -> None:
    """SECRET_TOO_LONG. Its text is in no message."""
    if len(secret) > limits.WEBHOOK_SECRET_CHARACTERS:
        raise InvalidArgument.of_field(
            "SECRET_TOO_LONG",
            "secret",
            f"{len(secret):,} characters, at most {limits.WEBHOOK_SECRET_CHARACTERS:,}; give a shorter one",
        )


def check_webhook_id(webhook_id: int) -> None:
    """WEBHOOK_ID_INVALID."""
    if not 0 <= webhook_id < 1 << 63:
        raise InvalidArgument.of_field(
            "WEBHOOK_ID_INVALID", "webhook_id", f"{webhook_id} is no id of a webhook; give one that an answer had"
        )


def check_webhook_description(text: str) -> None:
    """TEXT_TOO_LONG."""
    if len(text) > limits.MODEL_COMMENT_CHARACTERS:
        raise InvalidArgument.of_field(
            "TEXT_TOO_LONG",
            "description",
            f"{shown(text)} has {len(text):,} characters, at most {limits.MODEL_COMMENT_CHARACTERS:,}; shorten it",
        )


def is_public(address: str) -> bool:
    """True if an IP address is one of the internet: not private, loopback, link-local, multicast or reserved.

    An IPv6 address that stands for an IPv4 address is as that one is.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def _may_be_public(host: str) -> bool:
    if host.lower().rstrip(".") == "localhost" or host.lower().rstrip(".").endswith(".localhost"):
        return False
    try:
        return is_public(host)
    except ValueError:
        return True


def _invalid(url: str, what: str) -> InvalidArgument:
    return InvalidArgument.of_field("URL_INVALID", "url", f"{shown(url)} {what}")
