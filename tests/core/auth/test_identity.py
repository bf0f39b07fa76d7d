"""Roles, tokens and rules of claims."""

from __future__ import annotations

import pytest
from fleetlog_core.auth.claims import grants_by, rules_of
from fleetlog_core.auth.identity import ADMIN, APPROVE, NOBODY, READ, WRITE, Grant, Identity, Permission
from fleetlog_core.auth.tokens import digest_of, is_same, new_token, parts_of
from fleetlog_core.errors import InvalidArgument, PermissionDenied


def somebody(*roles: str) -> Identity:
    return Identity("ann", tuple(Grant.of(role) for role in roles))


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("reader", {READ}),
        ("writer", {READ, WRITE}),
        ("approver", {READ, APPROVE}),
        ("admin", {READ, WRITE, APPROVE, ADMIN}),
    ],
)
def test_a_role_gives_its_permissions_in_its_namespace_alone(role: str, may: set[Permission]) -> None:
    identity = somebody(f"{role}@vision")
    assert identity.may("vision") == may
    assert identity.may("other") == identity.may("") == identity.may("*") == set()
    assert somebody(f"{role}@*").may("any") == may


def test_roles_add_up_and_no_namespace_is_the_default_one() -> None:
    assert somebody("reader@*", "writer@vision", "approver@vision").may("vision") == {READ, WRITE, APPROVE}
    assert somebody("reader").may("default") == somebody("reader@default").may("") == {READ}


def test_who_may_not_is_told_role_and_namespace() -> None:
    with pytest.raises(PermissionDenied, match="the role writer in the namespace 'vision'"):
        somebody("reader@vision").check(WRITE, "vision")
    NOBODY.check(ADMIN, "anything")


@pytest.mark.parametrize("text", ["", "owner@vision", "reader@A B", "@vision", "reader@**"])
def test_a_role_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        Grant.of(text)


def test_a_token_is_known_by_its_digest_alone() -> None:
    made, other = new_token(), new_token()
    parts = parts_of(made.text)
    assert parts is not None
    token_id, secret = parts
    assert (token_id, digest_of(made.salt, secret)) == (made.token_id, made.digest)
    assert made.digest != other.digest
    assert secret.encode() not in made.digest + made.salt
    assert not is_same(digest_of(other.salt, secret), made.digest)
    for wrong in ("", made.text + "x", made.text[:-1], made.text.upper(), "flt_x_y"):
        assert parts_of(wrong) is None


RULES = rules_of(
    """
    groups=ml-team: writer@vision, reader@*
    email=*@example.com: reader ; realm_access.roles=fleet-admin: admin@*
    https://example.com/team=7: approver@vision
    """.replace("https://example.com/team", "team")
)


@pytest.mark.parametrize(
    ("claims", "grants"),
    [
        ({}, []),
        ({"groups": ["ml-team", "x"]}, ["writer@vision", "reader@*"]),
        ({"groups": "ml-team"}, ["writer@vision", "reader@*"]),
        ({"groups": "ml-team-2"}, []),
        ({"email": "ann@example.com"}, ["reader@default"]),
        ({"email": "ann@example.com.evil"}, []),
        ({"realm_access": {"roles": ["fleet-admin"]}}, ["admin@*"]),
        ({"realm_access": "roles"}, []),
        ({"team": 7}, ["approver@vision"]),
        ({"groups": [{"ml-team": 1}, None]}, []),
    ],
)
def test_claims_are_worth_what_the_rules_say(claims: dict[str, object], grants: list[str]) -> None:
    assert [str(grant) for grant in grants_by(RULES, claims)] == grants


@pytest.mark.parametrize("text", ["groups", "groups=x", "=x: reader", "groups=x: owner@y", "groups=x:"])
def test_a_rule_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"no rule|no role"):
        rules_of(text)
