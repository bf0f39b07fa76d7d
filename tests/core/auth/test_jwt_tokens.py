"""Tokens of an identity provider: valid ones, forged ones, and keys that are replaced."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fleetlog_core.auth.claims import rules_of
from fleetlog_core.auth.jwt_tokens import KEPT_SECONDS, UNKNOWN_SECONDS, JwtTokens, Provider
from fleetlog_core.errors import Unavailable

RULES = rules_of("team=a: writer@vision")
PROVIDER = Provider("https://id.example.com", "fleetlog", "https://id.example.com/keys", RULES)
NOW = time.time()


@dataclass
class Keys:
    """The provider's keys, and how often they were asked for."""

    keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    asked: int = 0
    now: float = 1_000.0
    is_down: bool = False

    def make(self, key_id: str) -> None:
        self.keys[key_id] = ec.generate_private_key(ec.SECP256R1())

    def fetch(self, url: str) -> bytes:
        assert url == PROVIDER.keys_url
        self.asked += 1
        if self.is_down:
            raise OSError("down")
        found = []
        for key_id, key in self.keys.items():
            plain = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
            found.append({**plain, "kid": key_id, "alg": "ES256", "use": "sig"})
        return json.dumps({"keys": [*found, {"kty": "odd", "kid": "odd"}, "no key"]}).encode()

    def token(self, key_id: str, **changes: object) -> str:
        claims = {
            "iss": PROVIDER.issuer, "aud": PROVIDER.audience, "sub": "ann", "exp": NOW + 3_600, "team": ["a"],
            **changes,
        }  # fmt: skip
        said = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(said, self.keys[key_id], algorithm="ES256", headers={"kid": key_id})

    def tokens(self) -> JwtTokens:
        made = JwtTokens(PROVIDER, self.fetch, lambda: self.now)
        made.refresh()
        return made


@pytest.fixture
def keys() -> Keys:
    found = Keys()
    found.make("one")
    return found


def test_a_valid_token_is_worth_what_the_rules_say_of_it(keys: Keys) -> None:
    tokens, text = keys.tokens(), keys.token("one")
    identity = tokens.identify(text)
    assert identity is not None
    assert (identity.principal, [str(grant) for grant in identity.grants]) == ("ann", ["writer@vision"])
    assert NOW + 3_600 <= identity.expire_time < NOW + 3_700
    assert tokens.identify(text) is identity


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example.com"}, {"aud": "other"}, {"exp": NOW - 60}, {"exp": None}, {"sub": None},
        {"aud": None}, {"nbf": NOW + 3_600}, {"sub": 7},
    ],
)  # fmt: skip
def test_a_token_of_others_for_others_or_of_another_time_is_invalid(keys: Keys, changes: dict[str, object]) -> None:
    if changes == {"sub": 7}:
        text = jwt.PyJWS().encode(
            json.dumps({"iss": PROVIDER.issuer, "aud": "fleetlog", "sub": 7, "exp": NOW + 60}).encode(),
            keys.keys["one"], algorithm="ES256", headers={"kid": "one"},
        )  # fmt: skip
    else:
        text = keys.token("one", **changes)
    assert keys.tokens().identify(text) is None


def test_forged_tokens_are_invalid(keys: Keys) -> None:
    tokens, good = keys.tokens(), keys.token("one")
    other = Keys()
    other.make("one")
    head, body, signature = good.split(".")
    unsigned = jwt.encode({"sub": "ann"}, key="", algorithm="none", headers={"kid": "one"})
    public = keys.keys["one"].public_key().public_numbers().x.to_bytes(32, "big")
    symmetric = jwt.encode({"sub": "ann"}, public, algorithm="HS256", headers={"kid": "one"})
    bad = f"{head}.{body}.{signature[::-1]}"
    for text in (other.token("one"), bad, f"{head}.{body}.", unsigned, symmetric, "", "a.b.c"):
        assert tokens.identify(text) is None, text


def test_a_key_that_comes_is_read_and_one_that_goes_is_trusted_no_longer(keys: Keys) -> None:
    tokens, old = keys.tokens(), keys.token("one")
    assert tokens.identify(old) is not None
    keys.make("two")
    keys.now += UNKNOWN_SECONDS
    with pytest.raises(Unavailable):
        tokens.identify(keys.token("two"))
    tokens.refresh()
    assert tokens.identify(keys.token("two")) is not None
    new = keys.token("two")
    del keys.keys["one"]
    keys.now += KEPT_SECONDS
    tokens.refresh()
    assert tokens.identify(old) is None
    assert tokens.identify(new) is not None


def test_tokens_with_unknown_keys_make_nobody_ask_the_provider_often(keys: Keys) -> None:
    tokens = keys.tokens()
    stranger = Keys()
    for number in range(20):
        stranger.make(f"x{number}")
        assert tokens.identify(stranger.token(f"x{number}")) is None
        tokens.refresh()
    assert keys.asked == 1


def test_a_provider_that_is_down_leaves_its_keys_in_use(keys: Keys) -> None:
    tokens = keys.tokens()
    keys.is_down = True
    keys.now += KEPT_SECONDS
    tokens.refresh()
    assert tokens.identify(keys.token("one")) is not None
    fresh = JwtTokens(PROVIDER, keys.fetch, lambda: keys.now)
    fresh.refresh()
    with pytest.raises(Unavailable):
        fresh.identify(keys.token("one"))
