"""Secrets of webhooks, and what is signed with them."""

from __future__ import annotations

import itertools

import pytest
from fleetlog_core.webhooks.secrets import SecretLost, Secrets
from fleetlog_core.webhooks.signing import headers_of, signature_of

KEY = bytes(range(32))


def test_a_secret_is_opened_with_the_key_and_for_the_namespace_that_it_was_sealed_with() -> None:
    sealed = Secrets([KEY]).seal("team", "hush")
    assert b"hush" not in sealed
    assert Secrets([KEY]).open("team", sealed) == "hush"
    for secrets, namespace in ((Secrets([bytes(32)]), "team"), (Secrets([KEY]), "other")):
        with pytest.raises(SecretLost):
            secrets.open(namespace, sealed)


def test_a_key_is_replaced_in_three_steps_and_no_secret_is_lost() -> None:
    new = bytes(32)
    steps = [Secrets(keys) for keys in ([KEY], [KEY, new], [new, KEY], [new])]
    for before, after in itertools.pairwise(steps):
        assert after.open("team", before.seal("team", "hush")) == "hush"
        assert before.open("team", after.seal("team", "hush")) == "hush"
    with pytest.raises(SecretLost):
        steps[-1].open("team", steps[0].seal("team", "hush"))


def test_a_request_that_is_sent_again_is_the_same_request() -> None:
    assert Secrets([KEY]).seal("team", "hush") == Secrets([KEY]).seal("team", "hush")


def test_no_secret_stays_none() -> None:
    assert Secrets([KEY]).open("team", Secrets([KEY]).seal("team", "")) == ""


def test_the_signature_is_that_of_standard_webhooks() -> None:
    # echo -n '1.2.{}' | openssl dgst -sha256 -hmac hush -binary | base64
    assert signature_of("1", 2, b"{}", "hush") == "v1,Z9nsM7U3aI6fPVfb0ivbCMuU4IegFvuTsqFsze4bXrE="


def test_a_delivery_without_a_secret_has_no_signature() -> None:
    assert not [name for name in headers_of("1", 2, b"{}", "") if "signature" in name.lower()]
