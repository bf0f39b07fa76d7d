"""Sessions of browsers: the token stays in the gateway's cookie, and goes on with each call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.cookies import SimpleCookie

import pytest
from fleetlog_query.web.sessions import COOKIE, SECONDS, Seal

from tests.query.web.echo import Echo, echoing
from tests.query.web.http import JSON, QUERY, Answer, Http

TOKEN = "fl_0123456789abcdef_secret"


@pytest.fixture(scope="module")
def server() -> Iterator[Echo]:
    with echoing() as echo:
        yield echo


@pytest.fixture
def http(server: Echo) -> Iterator[Http]:
    connection = Http(server.port)
    yield connection
    connection.close()


def begun(http: Http) -> Answer:
    answer = http.call("/session", {"token": TOKEN})
    assert answer.status == 200
    return answer


def cookie_of(answer: Answer) -> str:
    return SimpleCookie(answer.headers["set-cookie"])[COOKIE].value


def test_a_sealed_token_comes_back_for_its_time_and_from_its_own_key_alone() -> None:
    now = [1_000.0]
    seal = Seal(lambda: now[0])
    sealed = seal.close(TOKEN)
    assert TOKEN.encode().hex() not in sealed
    assert seal.open(sealed) == TOKEN
    assert Seal(lambda: now[0]).open(sealed) is None
    for broken in ("", "zz", sealed[:-2], sealed[:20], ("0" if sealed[0] != "0" else "1") + sealed[1:]):
        assert seal.open(broken) is None
    now[0] += SECONDS
    assert seal.open(sealed) is None


def test_the_cookie_is_for_this_host_and_no_script(http: Http, server: Echo) -> None:
    answer = begun(http)
    assert server.metadata["authorization"] == f"Bearer {TOKEN}"
    morsel = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
    assert (morsel["path"], morsel["domain"], morsel["samesite"]) == ("/", "", "Strict")
    assert morsel["httponly"]
    assert morsel["secure"]
    assert answer.headers["cache-control"] == "no-store"
    assert TOKEN not in str(answer)


def test_calls_with_the_cookie_go_on_with_its_token_and_the_cookie_stays_here(http: Http, server: Echo) -> None:
    cookie = f"other=1; {COOKIE}={cookie_of(begun(http))}"
    http.call(f"{QUERY}/GetRun", b"", cookie=cookie)
    assert server.metadata["authorization"] == f"Bearer {TOKEN}"
    assert "cookie" not in server.metadata
    http.call(f"{QUERY}/GetRun", b"", cookie=cookie, authorization="Bearer own")
    assert server.metadata["authorization"] == "Bearer own"
    http.call(f"{QUERY}/GetRun", b"", cookie=f"{COOKIE}=00ff")
    assert "authorization" not in server.metadata


def test_the_end_of_a_session_takes_the_cookie_away(http: Http) -> None:
    answer = http.call("/session/end", {})
    morsel = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
    assert (morsel.value, morsel["max-age"]) == ("", "0")


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"token": 1}', b'{"token": ""}', b'{"token": "a\\nb"}', b'{"token": "\\u00fc"}']
)
def test_what_is_no_token_is_refused_without_being_told(http: Http, body: bytes) -> None:
    answer = http.call("/session", body, JSON)
    assert (answer.status, json.loads(answer.body)["reason"]) == (400, "TOKEN_INVALID")
    assert "set-cookie" not in answer.headers


def test_a_form_another_site_and_a_get_begin_no_session(http: Http) -> None:
    body = json.dumps({"token": TOKEN}).encode()
    assert http.call("/session", body, "text/plain").status == 415
    assert http.call("/session", body, JSON, origin="https://elsewhere.example").status == 403
    assert http.call("/session", body, JSON, **{"sec-fetch-site": "cross-site"}).status == 403
    assert http.get("/session").status == 405
