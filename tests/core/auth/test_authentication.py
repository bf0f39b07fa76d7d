"""Whose token it is: kept ones, the admin's, and what happens when the tables do not answer."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from fleetlog_core.auth.authentication import Authentication
from fleetlog_core.auth.kept_tokens import KeptToken
from fleetlog_core.auth.tokens import NewToken, new_token
from fleetlog_core.errors import Unauthenticated, Unavailable
from fleetlog_core.warehouse.port import WarehouseUnavailable
from fleetlog_proto.v1 import token_event_pb2, token_pb2

ADMIN_TOKEN = "a" * 32


@dataclass
class Kept:
    """What the tables have."""

    tokens: dict[str, KeptToken] = field(default_factory=dict)
    is_down: bool = False
    now: float = 1_000.0

    def read(self) -> dict[str, KeptToken]:
        if self.is_down:
            raise WarehouseUnavailable("down")
        return dict(self.tokens)

    def put(self, made: NewToken, *, ends: float = 0.0, revoked: bool = False) -> None:
        grant = token_event_pb2.Grant(namespace="vision", role=token_event_pb2.ROLE_READER)
        token = token_pb2.Token(
            token_id=made.token_id, name="ci", principal="ann", grants=[grant], expire_time_millis=int(ends * 1_000),
            revoke_time_millis=int(revoked),
        )  # fmt: skip
        self.tokens[made.token_id] = KeptToken(token, made.salt, made.digest)

    def authentication(self) -> Authentication:
        found = Authentication(self.read, ADMIN_TOKEN, clock=lambda: self.now)
        found.refresh()
        return found


def refusal(authentication: Authentication, shown: str | bytes | None) -> str:
    with pytest.raises(Unauthenticated) as error:
        authentication.identify(shown)
    return f"{error.value.reason} {error.value.message}"


def test_every_failure_has_one_text() -> None:
    kept, good, revoked, ended = Kept(), new_token(), new_token(), new_token()
    kept.put(good)
    kept.put(revoked, revoked=True)
    kept.put(ended, ends=999.0)
    authentication = kept.authentication()
    wrong = good.text[:-4] + ("AAAA" if not good.text.endswith("AAAA") else "BBBB")
    texts = {
        refusal(authentication, shown)
        for shown in (
            None, "", "Bearer", "Bearer ", f"Basic {good.text}", good.text, f"Bearer {wrong}", f"Bearer {revoked.text}",
            f"Bearer {ended.text}", f"Bearer {new_token().text}", "Bearer " + "x" * 10_000, b"Bearer \xff\x00",
        )
    }  # fmt: skip
    assert len(texts) == 1
    identity = authentication.identify(f"bearer {good.text}")
    assert (identity.principal, identity.token_name) == ("ann", "ci")
    assert authentication.identify(f"Bearer {ADMIN_TOKEN}".encode()).principal == "admin"


def test_what_was_made_revoked_or_has_ended_counts_from_the_next_look_on() -> None:
    kept, made = Kept(), new_token()
    authentication = kept.authentication()
    refusal(authentication, f"Bearer {made.text}")
    kept.put(made, ends=2_000.0)
    authentication.refresh()
    identity = authentication.identify(f"Bearer {made.text}")
    assert authentication.is_current(identity)
    assert authentication.seconds_left(identity) == 1_000.0
    kept.now = 2_000.0
    assert not authentication.is_current(identity)
    refusal(authentication, f"Bearer {made.text}")
    kept.now = 1_000.0
    kept.put(made, ends=2_000.0, revoked=True)
    authentication.refresh()
    assert not authentication.is_current(identity)
    refusal(authentication, f"Bearer {made.text}")


def test_tables_that_do_not_answer_leave_what_was_read_in_use() -> None:
    kept, made = Kept(), new_token()
    kept.put(made)
    authentication = kept.authentication()
    kept.is_down = True
    authentication.refresh()
    assert authentication.identify(f"Bearer {made.text}").principal == "ann"
    fresh = kept.authentication()
    with pytest.raises(Unavailable, match="has not read its tokens yet"):
        fresh.identify(f"Bearer {made.text}")
    assert fresh.identify(f"Bearer {ADMIN_TOKEN}").principal == "admin"
