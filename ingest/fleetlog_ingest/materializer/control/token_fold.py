"""Intents on tokens, decided one after another. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from fleetlog_core import limits
from fleetlog_core.auth.kept_tokens import KeptToken, to_text
from fleetlog_core.errors import shown
from fleetlog_proto.v1 import frame_pb2, token_pb2

from fleetlog_ingest.materializer.control.outcome import Outcome
from fleetlog_ingest.materializer.fold.tables import Columns, Row, columns_of

TOKEN_INTENTS = ("token_created", "token_revoked")
"""By the name of the intent in ControlRecord."""
Tokens = Mapping[str, KeptToken]
"""All tokens by id, those that were revoked too."""


class TokenFold:
    """Decides intents. Each changes all that it asks for, or nothing."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = dict(tokens)
        self._rows: list[Row] = []

    def decide(self, control: frame_pb2.ControlRecord, offset: int) -> Outcome:
        """The outcome of one intent. Refused TOKEN_EXISTS, TOKEN_NOT_FOUND, TOO_MANY_TOKENS."""
        created = control.WhichOneof("intent") == "token_created"
        outcome, kept = self._create(control) if created else self._revoke(control)
        if kept is not None:
            self._tokens[kept.token.token_id] = kept
            self._rows.append(
                (kept.token.token_id, offset, to_text(kept.token), kept.salt.hex(), kept.digest.hex())
            )  # fmt: skip
        return outcome

    def tables(self) -> dict[str, Columns]:
        """Rows by table."""
        return {"tokens": columns_of("tokens", self._rows)} if self._rows else {}

    def _create(self, control: frame_pb2.ControlRecord) -> tuple[Outcome, KeptToken | None]:
        intent = control.token_created
        valid = [one for one in self._tokens.values() if not one.is_revoked]
        if intent.token_id in self._tokens or any(one.token.name == intent.name for one in valid):
            message = f"name: there is a token {shown(intent.name)} that is not revoked; give another, or revoke it"
            return Outcome(False, reason="TOKEN_EXISTS", message=message), None
        if len(valid) >= limits.TOKENS:
            message = f"a server has at most {limits.TOKENS:,} tokens; revoke those that are not used"
            return Outcome(False, reason="TOO_MANY_TOKENS", message=message), None
        token = token_pb2.Token(
            token_id=intent.token_id,
            name=intent.name,
            principal=intent.principal,
            grants=intent.grants,
            create_time_millis=control.ingest_time_millis,
            expire_time_millis=intent.expire_time_millis,
            create_user=control.user,
        )
        return Outcome(True, result=intent.token_id), KeptToken(token, intent.salt, intent.digest)

    def _revoke(self, control: frame_pb2.ControlRecord) -> tuple[Outcome, KeptToken | None]:
        token_id = control.token_revoked.token_id
        before = self._tokens.get(token_id)
        if before is None:
            message = f"name: there is no token {shown(token_id)}"
            return Outcome(False, reason="TOKEN_NOT_FOUND", message=message), None
        if before.is_revoked:
            return Outcome(True, result=token_id), None
        token = token_pb2.Token()
        token.CopyFrom(before.token)
        # Of a record without a time, too, it is revoked.
        token.revoke_time_millis = control.ingest_time_millis or 1
        return Outcome(True, result=token_id), KeptToken(token, before.salt, before.digest)
