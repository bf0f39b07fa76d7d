"""Tokens and callers, as a server tells of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from fleetlog_proto.v1 import token_event_pb2, token_pb2

from fleetlog._views.views import utc

ROLES: dict[str, token_event_pb2.Role.ValueType] = {
    "reader": token_event_pb2.ROLE_READER,
    "writer": token_event_pb2.ROLE_WRITER,
    "approver": token_event_pb2.ROLE_APPROVER,
    "admin": token_event_pb2.ROLE_ADMIN,
}
_WORDS = {number: word for word, number in ROLES.items()}


@dataclass(frozen=True)
class Token:
    """A token of a server, without what is secret of it."""

    id: str
    name: str
    principal: str
    """Who uses it."""
    roles: tuple[str, ...]
    """Such as "writer@vision"; "@*" is every namespace."""
    created: datetime
    created_by: str
    expires: datetime | None
    """None: never."""
    revoked: datetime | None
    """None: it is valid, as long as it has not expired."""

    @classmethod
    def of(cls, message: token_pb2.Token) -> Token:
        """From the message."""
        return cls(
            message.token_id, message.name, message.principal, roles_of(message.grants),
            utc(message.create_time_millis), message.create_user, moment(message.expire_time_millis),
            moment(message.revoke_time_millis),
        )  # fmt: skip


@dataclass(frozen=True)
class NewToken:
    """A token that was just made."""

    token: Token
    secret: str
    """What its user shows as FLEETLOG_TOKEN. The server can't tell it again."""

    def __repr__(self) -> str:
        return f"NewToken(token={self.token!r}, secret=...)"


@dataclass(frozen=True)
class Caller:
    """Who a server takes this process for."""

    principal: str
    """"" where nobody is asked for a token."""
    token_name: str
    roles: tuple[str, ...]
    expires: datetime | None

    @classmethod
    def of(cls, message: token_pb2.WhoAmIResponse) -> Caller:
        """From the message."""
        return cls(message.principal, message.token_name, roles_of(message.grants), moment(message.expire_time_millis))


def roles_of(grants: Iterable[token_event_pb2.Grant]) -> tuple[str, ...]:
    """Each as role@namespace."""
    return tuple(f"{_WORDS.get(grant.role, 'unknown')}@{grant.namespace}" for grant in grants)


def moment(millis: int) -> datetime | None:
    """None for 0."""
    return utc(millis) if millis else None
