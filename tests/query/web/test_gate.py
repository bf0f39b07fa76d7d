from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from fleetlog_query.web.exchange import Gone, begin, respond, send_body
from fleetlog_query.web.gate import Gate, Shares
from fleetlog_query.web.guard import Guard
from starlette.types import Message, Receive, Scope, Send


def scope_of(client: str = "1.2.3.4", path: str = "/x", kind: str = "http") -> Scope:
    headers = [(b"host", b"localhost"), (b"origin", b"http://localhost")]
    return {
        "type": kind, "method": "GET", "path": path, "query_string": b"token=secret", "headers": headers,
        "client": (client, 5),
    }  # fmt: skip


class Caller:
    """A client of the application in this process, and what it was sent."""

    def __init__(self, app: Gate) -> None:
        self._app = app
        self.sent: list[Message] = []

    async def ask(self, scope: Scope) -> None:
        await self._app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def told(self) -> Any:
        return json.loads(self.sent[1]["body"])


async def held(app: Any, first: Scope, then: Scope) -> Caller:
    """What a second request meets while the first one is under way."""
    gate, second = Gate(app, Guard(), "v", Shares(calls=1, sockets=1)), None
    under_way = asyncio.create_task(Caller(gate).ask(first))
    await app.begun.wait()
    second = Caller(gate)
    await second.ask(then)
    app.ending.set()
    await under_way
    again = Caller(gate)
    await again.ask(first)
    assert again.sent[0].get("status", 200) == 200
    return second


class Waits:
    """An application that answers when it is told to."""

    def __init__(self) -> None:
        self.begun, self.ending = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/at once":
            await respond(send, 200, [], b"")
            return
        self.begun.set()
        await self.ending.wait()
        await (respond(send, 200, [], b"") if scope["type"] == "http" else send({"type": "websocket.close"}))


def test_one_client_has_its_share_and_no_more() -> None:
    async def run() -> tuple[Caller, Caller, Caller]:
        return (
            await held(Waits(), scope_of(), scope_of(path="/at once")),
            await held(Waits(), scope_of(), scope_of("5.6.7.8", path="/at once")),
            await held(Waits(), scope_of(kind="websocket"), scope_of(kind="websocket")),
        )

    same, other, socket = asyncio.run(run())
    assert (same.status, same.told["reason"]) == (429, "TOO_MANY_REQUESTS")
    assert other.status == 200
    assert socket.sent == [{"type": "websocket.close", "code": 1008, "reason": "TOO_MANY_REQUESTS"}]


def test_the_access_log_has_no_query_and_no_body(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 200, [], b"private")

    with caplog.at_level(logging.INFO, "fleetlog.access"):
        asyncio.run(Caller(Gate(answer, Guard(), "v", Shares())).ask(scope_of(path="/raw/a")))
    (line,) = (record.getMessage() for record in caplog.records if record.name == "fleetlog.access")
    assert line.startswith("GET /raw/a 200 ")
    assert "secret" not in line
    assert "private" not in line


def test_a_fault_of_ours_is_told_in_one_text(caplog: pytest.LogCaptureFixture) -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("SELECT secret FROM tables")

    caller = Caller(Gate(fails, Guard(), "v", Shares()))
    with caplog.at_level(logging.CRITICAL, "fleetlog_query.web.gate"):
        asyncio.run(caller.ask(scope_of()))
    assert (caller.status, caller.told["reason"]) == (500, "INTERNAL")
    assert b"SELECT" not in caller.sent[1]["body"]


def test_half_an_answer_never_looks_like_a_whole_one(caplog: pytest.LogCaptureFixture) -> None:
    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        await begin(send, 200, [])
        await send_body(send, b"half", more=True)
        raise RuntimeError

    caller = Caller(Gate(breaks, Guard(), "v", Shares()))
    with caplog.at_level(logging.CRITICAL, "fleetlog_query.web.gate"), pytest.raises(RuntimeError):
        asyncio.run(caller.ask(scope_of()))
    assert [message.get("more_body") for message in caller.sent] == [None, True]


def test_a_caller_that_left_is_sent_nothing() -> None:
    async def left(scope: Scope, receive: Receive, send: Send) -> None:
        raise Gone

    caller = Caller(Gate(left, Guard(), "v", Shares()))
    asyncio.run(caller.ask(scope_of()))
    assert not caller.sent


def test_every_answer_says_what_a_browser_may_do() -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 200, [], b"")

    caller = Caller(Gate(answer, Guard(), "abc", Shares()))
    asyncio.run(caller.ask(scope_of()))
    headers = dict(caller.sent[0]["headers"])
    assert headers[b"x-fleetlog-ui"] == b"abc"
    assert b"default-src 'none'; script-src 'self'" in headers[b"content-security-policy"]
    assert b"access-control-allow-origin" not in headers
