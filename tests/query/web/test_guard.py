from __future__ import annotations

from collections.abc import Mapping

import pytest
from fleetlog_query.web.guard import Guard, host_name, is_loopback, media_type

GUARD = Guard({"fleet.example", "10.1.2.3"})
HERE = {"host": "localhost:7461"}


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:7461", "127.0.0.1:7461", "127.1.2.3", "[::1]:7461", "[::1]", "ui.localhost:1",
     "fleet.example", "Fleet.Example:443", "10.1.2.3:80"],
)  # fmt: skip
def test_hosts_of_this_machine_and_those_that_are_named_pass(host: str) -> None:
    assert GUARD.check("GET", {"host": host}) is None


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:7461", "localhost.evil.example", "127.0.0.1.evil.example", "fleet.example.evil",
     "notlocalhost", "10.1.2.4", "0.0.0.0", "[::2]", "192.168.0.1:7461"],
)  # fmt: skip
def test_a_name_that_was_made_to_lead_here_is_refused(host: str) -> None:
    for method in ("GET", "POST"):
        failure = GUARD.check(method, {"host": host})
        assert failure is not None
        assert (failure.http_status, failure.reason) == (403, "HOST_NOT_ALLOWED")


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, None),
        ({"origin": "http://localhost:7461"}, None),
        ({"origin": "https://localhost:7461"}, None),
        ({"origin": "http://localhost:7461", "sec-fetch-site": "same-origin"}, None),
        ({"origin": "http://localhost:8080"}, "FOREIGN_ORIGIN"),
        ({"origin": "http://127.0.0.1:7461"}, "FOREIGN_ORIGIN"),
        ({"origin": "http://evil.example"}, "FOREIGN_ORIGIN"),
        ({"origin": "null"}, "FOREIGN_ORIGIN"),
        ({"origin": ""}, "FOREIGN_ORIGIN"),
        ({"origin": "localhost:7461"}, "FOREIGN_ORIGIN"),
        ({"sec-fetch-site": "cross-site"}, "FOREIGN_SITE"),
        ({"sec-fetch-site": "same-site"}, "FOREIGN_SITE"),
        ({"sec-fetch-site": "none"}, "FOREIGN_SITE"),
    ],
)
def test_posts_come_from_this_address_or_from_no_page(headers: Mapping[str, str], reason: str | None) -> None:
    failure = GUARD.check("POST", {**HERE, **headers})
    assert (failure and failure.reason) == reason
    assert failure is None or failure.http_status == 403


def test_pages_elsewhere_may_link_here() -> None:
    assert GUARD.check("GET", {**HERE, "origin": "http://evil.example", "sec-fetch-site": "cross-site"}) is None


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
def test_other_methods_are_refused(method: str) -> None:
    failure = GUARD.check(method, HERE)
    assert failure is not None
    assert (failure.http_status, failure.reason) == (405, "METHOD_NOT_ALLOWED")


def test_a_socket_says_that_it_is_of_this_address() -> None:
    assert GUARD.check_socket({**HERE, "origin": "http://localhost:7461"}) is None
    for headers in ({}, {"origin": "http://evil.example"}, {"origin": "null"}):
        failure = GUARD.check_socket({**HERE, **headers})
        assert failure is not None
        assert failure.reason == "FOREIGN_ORIGIN"
    failure = GUARD.check_socket({"host": "evil.example", "origin": "http://evil.example"})
    assert failure is not None
    assert failure.reason == "HOST_NOT_ALLOWED"


def test_names_and_types_are_read_as_they_are_meant() -> None:
    assert host_name(" [FE80::1]:80 ") == "fe80::1"
    assert host_name("fe80::1") == "fe80::1"
    assert not is_loopback("")
    assert media_type("Application/JSON; charset=utf-8") == "application/json"
