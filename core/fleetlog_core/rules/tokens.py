"""Valid tokens: names, principals, grants and ends."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fleetlog_proto.v1 import token_event_pb2

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.rules.names import check_namespace

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_PRINCIPAL = re.compile(r"[^\x00-\x20\x7f]{1,200}")


def check_token_name(name: str, field: str = "name") -> str:
    """NAME_INVALID."""
    if not _NAME.fullmatch(name):
        raise InvalidArgument.of_field(
            "NAME_INVALID",
            field,
            f"{shown(name)} is not 1 to 63 letters, digits, '.', '_' and '-', a letter or digit first and last; rename"
            " it",
        )
    return name


def check_principal(principal: str, field: str = "principal") -> str:
    """PRINCIPAL_INVALID."""
    if not _PRINCIPAL.fullmatch(principal) or not principal.isprintable():
        raise InvalidArgument.of_field(
            "PRINCIPAL_INVALID", field, f"{shown(principal)} is not 1 to 200 characters that are seen, without blanks"
        )
    return principal


def check_grants(grants: Sequence[token_event_pb2.Grant]) -> list[token_event_pb2.Grant]:
    """The grants, each once and its namespace said. GRANT_MISSING, ROLE_INVALID, OVER_LIMIT, INVALID_NAMESPACE."""
    if not grants:
        raise InvalidArgument.of_field("GRANT_MISSING", "grants", "there is none; give one, such as writer@vision")
    if len(grants) > limits.GRANTS:
        raise InvalidArgument.of_field("OVER_LIMIT", "grants", f"{len(grants):,}, at most {limits.GRANTS}")
    found: dict[tuple[str, int], token_event_pb2.Grant] = {}
    for place, grant in enumerate(grants):
        if grant.role not in token_event_pb2.Role.values() or not grant.role:
            raise InvalidArgument.of_field(
                "ROLE_INVALID", f"grants[{place}].role", f"{grant.role} is no role; there are 1 to 4"
            )
        namespace = grant.namespace
        if namespace != "*":
            namespace = check_namespace(namespace, f"grants[{place}].namespace")
        found[(namespace, grant.role)] = token_event_pb2.Grant(namespace=namespace, role=grant.role)
    return list(found.values())


def check_token_end(expire_time_millis: int, now_millis: int) -> int:
    """EXPIRE_TIME_INVALID."""
    if expire_time_millis and expire_time_millis <= now_millis:
        raise InvalidArgument.of_field(
            "EXPIRE_TIME_INVALID",
            "expire_time_millis",
            f"{expire_time_millis} is not after now, {now_millis}; give Unix milliseconds, or 0 for no end",
        )
    return expire_time_millis
