"""Identities: who calls, and what they may do in which namespace. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeAlias

from fleetlog_proto.v1 import permission_pb2, token_event_pb2

from fleetlog_core.errors import InvalidArgument, PermissionDenied, shown
from fleetlog_core.rules.names import DEFAULT_NAMESPACE, check_namespace

EVERYWHERE = "*"
"""As a namespace in a grant: all of them."""
Permission: TypeAlias = "permission_pb2.Permission.ValueType"
Role: TypeAlias = "token_event_pb2.Role.ValueType"

READ, WRITE = permission_pb2.PERMISSION_READ, permission_pb2.PERMISSION_WRITE
APPROVE, ADMIN = permission_pb2.PERMISSION_APPROVE, permission_pb2.PERMISSION_ADMIN

ROLES: Mapping[str, Role] = {
    "reader": token_event_pb2.ROLE_READER,
    "writer": token_event_pb2.ROLE_WRITER,
    "approver": token_event_pb2.ROLE_APPROVER,
    "admin": token_event_pb2.ROLE_ADMIN,
}
ROLE_WORDS: Mapping[Role, str] = {role: word for word, role in ROLES.items()}
_MAY: Mapping[Role, frozenset[Permission]] = {
    token_event_pb2.ROLE_READER: frozenset({READ}),
    token_event_pb2.ROLE_WRITER: frozenset({READ, WRITE}),
    token_event_pb2.ROLE_APPROVER: frozenset({READ, APPROVE}),
    token_event_pb2.ROLE_ADMIN: frozenset({READ, WRITE, APPROVE, ADMIN}),
}
_LEAST: Mapping[Permission, str] = {READ: "reader", WRITE: "writer", APPROVE: "approver", ADMIN: "admin"}
"""Role that gives a permission and the least beside it."""
_NONE: frozenset[Permission] = frozenset()


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in a namespace, or in all of them."""

    namespace: str
    role: Role

    def __str__(self) -> str:
        return f"{ROLE_WORDS.get(self.role, 'no role')}@{self.namespace}"

    def to_proto(self) -> token_event_pb2.Grant:
        """The message."""
        return token_event_pb2.Grant(namespace=self.namespace, role=self.role)

    @classmethod
    def of(cls, text: str, field: str = "roles") -> Grant:
        """From `role@namespace`; without a namespace the default one, `*` is all. InvalidArgument ROLE_INVALID."""
        word, _, namespace = text.strip().partition("@")
        if word not in ROLES:
            raise InvalidArgument.of_field(
                "ROLE_INVALID", field, f"{shown(text)} is no role; give {', '.join(ROLES)}, such as writer@vision"
            )
        return cls(namespace if namespace == EVERYWHERE else check_namespace(namespace, field), ROLES[word])


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who calls."""

    principal: str
    """User or service; "" where nobody is asked."""
    grants: tuple[Grant, ...]
    token_name: str = ""
    token_id: str = ""
    """Id of a token of this server; "" for others."""
    expire_time: float = 0.0
    """Unix seconds; 0 = never."""
    _may: dict[str, frozenset[Permission]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for grant in self.grants:
            known = self._may.get(grant.namespace, _NONE)
            self._may[grant.namespace] = known | _MAY.get(grant.role, _NONE)

    def may(self, namespace: str) -> frozenset[Permission]:
        """Everything that it may do in a namespace ("" = the default one); empty: it has no role there."""
        everywhere = self._may.get(EVERYWHERE, _NONE)
        here = self._may.get(namespace or DEFAULT_NAMESPACE)
        return everywhere if here is None else here | everywhere

    def check(self, permission: Permission, namespace: str) -> None:
        """PermissionDenied, which names role and namespace."""
        if permission not in self.may(namespace):
            raise denied(permission, namespace)

    def is_expired(self, now: float) -> bool:
        """True if its token has ended."""
        return 0.0 < self.expire_time <= now


class RoleMissing(PermissionDenied):
    """The caller has no role that the call takes."""

    namespace = ""
    """Where it has none."""


def denied(permission: Permission, namespace: str) -> RoleMissing:
    """The error of a caller without a role; the same whether the namespace has anything or not."""
    role = _LEAST.get(permission, "admin")
    error = RoleMissing(
        "ROLE_MISSING",
        f"this takes the role {role} in the namespace {shown(namespace or DEFAULT_NAMESPACE)}, which the token that was"
        " given does not have; ask an admin of the namespace for one that has",
    )
    error.namespace = namespace or DEFAULT_NAMESPACE
    return error


NOBODY = Identity("", (Grant(EVERYWHERE, token_event_pb2.ROLE_ADMIN),))
"""The caller of a server that asks for no tokens: may do everything."""
_CALLER: ContextVar[Identity] = ContextVar("fleetlog_caller", default=NOBODY)


def caller() -> Identity:
    """Whoever makes the call under way."""
    return _CALLER.get()


def set_caller(identity: Identity) -> None:
    """For the rest of the call's task."""
    _CALLER.set(identity)


def grants_of(messages: Iterable[token_event_pb2.Grant]) -> tuple[Grant, ...]:
    """From the messages."""
    return tuple(Grant(one.namespace, one.role) for one in messages)
