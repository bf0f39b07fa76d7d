"""Tokens as the log's order decides them."""

from __future__ import annotations

from fleetlog_core.auth.kept_tokens import KeptToken
from fleetlog_ingest.materializer.control.token_fold import TokenFold
from fleetlog_proto.v1 import frame_pb2, token_event_pb2, token_pb2

from tests.golden.records import tokens
from tests.ingest.materializer.registry_intents import numbers


def created(token_id: str, name: str) -> frame_pb2.ControlRecord:
    return frame_pb2.ControlRecord(
        ingest_time_millis=5, user="admin", token_created=token_event_pb2.TokenCreated(token_id=token_id, name=name)
    )


def revoked(token_id: str) -> frame_pb2.ControlRecord:
    return frame_pb2.ControlRecord(
        ingest_time_millis=6, token_revoked=token_event_pb2.TokenRevoked(token_id=token_id)
    )  # fmt: skip


def test_a_token_is_made_and_revoked_with_a_row_for_each_state() -> None:
    fold = TokenFold({})
    outcomes = [fold.decide(intent, offset) for offset, intent in enumerate(tokens().values())]
    assert [(one.accepted, one.result) for one in outcomes] == [(True, "0123456789abcdef")] * 2
    assert numbers(fold.tables()["tokens"]["ver"]) == [0, 1]
    assert "someone" in str(fold.tables()["tokens"]["state"])


def test_a_name_is_free_again_once_its_token_is_revoked() -> None:
    fold = TokenFold({})
    assert fold.decide(created("a", "ci"), 0).accepted
    assert fold.decide(created("b", "ci"), 1).reason == "TOKEN_EXISTS"
    assert fold.decide(created("a", "other"), 2).reason == "TOKEN_EXISTS"
    assert fold.decide(revoked("a"), 3).accepted
    assert fold.decide(created("b", "ci"), 4).accepted


def test_what_is_revoked_stays_so_and_what_is_not_there_is_refused() -> None:
    token = token_pb2.Token(token_id="a", name="ci", revoke_time_millis=3)
    fold = TokenFold({"a": KeptToken(token, b"", b"")})
    assert fold.decide(revoked("a"), 7).accepted
    assert fold.decide(revoked("x"), 8).reason == "TOKEN_NOT_FOUND"
    assert fold.tables() == {}
