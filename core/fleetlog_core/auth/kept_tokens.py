"""Tokens as the tables keep them, and reads of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from fleetlog_proto.v1 import token_event_pb2, token_pb2

from fleetlog_core.auth.identity import Identity, grants_of
from fleetlog_core.warehouse.port import Answer, Bind, Statement

Select = Callable[[Statement], Answer]


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A token with the digest of its secret."""

    token: token_pb2.Token
    salt: bytes
    digest: bytes

    @property
    def is_revoked(self) -> bool:
        """True if it was revoked."""
        return bool(self.token.revoke_time_millis)

    def identity(self) -> Identity:
        """Who shows it."""
        token = self.token
        return Identity(
            token.principal, grants_of(token.grants), token.name, token.token_id, token.expire_time_millis / 1_000
        )


def to_text(token: token_pb2.Token) -> str:
    """Returns the state as JSON, the same text for the same state."""
    plain: dict[str, object] = {field.name: value for field, value in token.ListFields() if field.name != "grants"}
    plain["grants"] = [[grant.namespace, grant.role] for grant in token.grants]
    return json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def read_tokens(select: Select, before: int | None = None) -> dict[str, KeptToken]:
    """Returns all tokens by id, those that were revoked too. `before`: as of that offset of the log."""
    binds: dict[str, Bind] = {}
    within = ""
    if before is not None:
        within, binds["before"] = " WHERE ver < {before:UInt64}", before
    answer = select(
        Statement(
            "SELECT argMax(state, ver) AS last_state, any(salt) AS any_salt, any(digest) AS any_digest"
            f" FROM tokens{within} GROUP BY token_id ORDER BY min(ver)",
            binds,
        )
    )
    columns = (answer.texts(name) for name in ("last_state", "any_salt", "any_digest"))
    found = (
        KeptToken(_token(state), bytes.fromhex(salt), bytes.fromhex(digest))
        for state, salt, digest in zip(*columns, strict=True)
    )
    return {one.token.token_id: one for one in found}


def _token(state: str) -> token_pb2.Token:
    plain = json.loads(state)
    grants = [token_event_pb2.Grant(namespace=namespace, role=role) for namespace, role in plain.pop("grants")]
    return token_pb2.Token(grants=grants, **plain)
