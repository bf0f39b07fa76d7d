"""Every message of the contract with anything in it: an answer that blames the server, or tells of it, is a fault.

FLEETLOG_FUZZ_MINUTES: how long to try in all, instead of some seconds; every kind of finding is told then.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fleetlog
import grpc
import pytest
from fleetlog_query.web.methods import Method
from google.protobuf import json_format
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.deploy.processes import Up, running
from tests.fuzz import values
from tests.fuzz.asking import EVERY, OPTIONS, Finding, Server, enveloped
from tests.fuzz.messages import encoded, messages
from tests.ports import free_port
from tests.profiles import examples

MINUTES = float(os.environ.get("FLEETLOG_FUZZ_MINUTES", "0"))
ROUND = 500
"""Examples of a round of the long form."""
FAILED = re.compile(r"Traceback|\bERROR\b|a call failed|a request failed|dead letter")
HEADERS: tuple[dict[str, str], ...] = (
    {}, {}, {}, {"authorization": "Bearer x"}, {"authorization": "Bearer flt_a_b"}, {"connect-timeout-ms": "0"},
    {"connect-timeout-ms": "9" * 11}, {"accept-encoding": "gzip"}, {"content-encoding": "gzip"}, {"origin": "null"},
    {"traceparent": "00-" + "f" * 32 + "-" + "f" * 16 + "-01"}, {"x-y": "z" * 5_000},
)  # fmt: skip


@dataclass(frozen=True)
class Attacked:
    """A server, who may ask it, and where its log is."""

    server: Server
    up: Up
    logs: Path
    tokens: tuple[str, ...]


@pytest.fixture(scope="module", params=["nobody is asked", "tokens"])
def attacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    data, web = tmp_path_factory.mktemp("hidden-place") / "data", free_port()
    asks = request.param == "tokens"
    options = ("up", "--data", str(data), "--port", "0", "--web-port", str(web), *(["--auth"] if asks else []))
    with running(*options) as up, grpc.insecure_channel(up.target, OPTIONS) as channel:
        secrets = [str(data), "hidden-place"]
        tokens: tuple[str, ...] = ("",)
        with pytest.MonkeyPatch.context() as patched:
            if asks:
                admin = (data / "admin.token").read_text().strip()
                patched.setenv("FLEETLOG_TOKEN", admin)
                client = fleetlog.Client(up.target, values.NAMESPACE)
                reader = client.create_token("reader", [f"reader@{values.NAMESPACE}"]).secret
                tokens = (admin, admin, admin, reader, "", "x", "flt_x_y", "a" * 9_000, "a.b.c")
                secrets += [admin, reader]
            prepare(up.target, tokens[0])
        server = Server(channel, web, secrets)
        yield Attacked(
            server, up, data / "logs" / "fleetlog.log", tuple(f"Bearer {one}" if one else "" for one in tokens)
        )
        server.close()
        assert up.stop(signal.SIGTERM) == 0


def prepare(target: str, token: str) -> None:
    """What calls may find: an experiment, a run with a file, a model with a version."""
    client = fleetlog.Client(target, values.NAMESPACE)
    with fleetlog.start_run(
        values.EXPERIMENT, run_id=values.RUN.hex(), target=target, namespace=values.NAMESPACE
    ) as run:
        run.log({"loss": 1.0}, step=1)
        run.log_params({"lr": 0.1})
        run.log_text("weights", values.PATH)
        run.flush(timeout=100, level="applied")
    client.register_model(values.MODEL, run=run)


def test_no_message_makes_a_server_fail_or_tell_of_itself(attacked: Attacked) -> None:
    def by_grpc(data: st.DataObject) -> None:
        method: Method = data.draw(st.sampled_from(EVERY))
        count = data.draw(st.integers(1, 4)) if method.streams_requests else 1
        kind: Any = method.request.DESCRIPTOR
        requests = [data.draw(encoded(kind)) for _ in range(count)]
        attacked.server.ask(method, requests, data.draw(st.sampled_from(attacked.tokens)))

    fuzzed(by_grpc, 250, attacked.server)
    still_well(attacked)


def test_no_body_makes_the_http_port_fail_or_tell_of_itself(attacked: Attacked) -> None:
    def by_http(data: st.DataObject) -> None:
        method: Method = data.draw(st.sampled_from(EVERY))
        kind: Any = method.request.DESCRIPTOR
        headers = {**data.draw(st.sampled_from(HEADERS))}
        token = data.draw(st.sampled_from(attacked.tokens))
        if token and "authorization" not in headers:
            headers["authorization"] = token
        body, content_type = data.draw(bodies(method, kind))
        attacked.server.ask_by_http(method, content_type, body, headers)

    fuzzed(by_http, 150, attacked.server)
    still_well(attacked)


@st.composite
def bodies(draw: st.DrawFn, method: Method, kind: Any) -> tuple[bytes, str]:
    """A body, and what it says it is."""
    way = draw(st.sampled_from(("json", "proto", "damaged json", "stream", "any")))
    if way == "any":
        return draw(st.binary(max_size=100)), draw(
            st.sampled_from(("application/json", "text/plain", "", "application/connect+json"))
        )
    if way == "proto":
        return draw(encoded(kind)), "application/proto"
    if way == "stream":
        parts = draw(st.lists(encoded(kind), max_size=3))
        return enveloped(parts), "application/connect+proto"
    text = json_format.MessageToJson(draw(messages(kind)), indent=None).encode()
    if way == "damaged json":
        place = draw(st.integers(0, len(text)))
        text = (
            text[:place]
            + draw(st.sampled_from((b"", b"\xff", b"[" * 5_000, b'"', b"1e999", b"{}", b"null")))
            + text[place + 1 :]
        )
    return text, "application/json"


def fuzzed(attack: Callable[[st.DataObject], None], count: int, server: Server) -> None:
    """Try it: `count` examples in CI, or for as long as is said. Finding."""

    def rounds(number: int, tries: int, check: Callable[[st.DataObject], None], phases: tuple[Phase, ...]) -> None:
        run = given(st.data())(lambda data: check(data))
        quiet = settings(
            max_examples=tries, deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=phases
        )
        seed(number)(quiet(run))()

    if not MINUTES:
        rounds(0, examples(count), attack, (Phase.generate, Phase.shrink))
        return
    found: dict[str, str] = {}

    def collect(data: st.DataObject) -> None:
        try:
            attack(data)
        except Finding as finding:
            text = str(finding)
            found.setdefault(re.sub(r"'.*|[0-9a-f]{6,}|\d+", "", text), text)

    # Two servers, and two ways to ask each.
    deadline, number = time.monotonic() + MINUTES * 15, 0
    while time.monotonic() < deadline:
        number += 1
        rounds(int(time.time()) + number, ROUND, collect, (Phase.generate,))
    for (name, code), times in sorted(server.outcomes.items()):
        print(f"{name:30} {code:25} {times}")
    if found:
        raise Finding("\n".join(found.values()))


def still_well(attacked: Attacked) -> None:
    """It runs, takes what is good, gave up on nothing, and its log tells of no failure and no secret."""
    assert attacked.up.process.poll() is None
    text = attacked.logs.read_text(encoding="utf-8")
    wrong = [line for line in text.splitlines() if FAILED.search(line)]
    assert wrong == []
    assert not [secret for secret in attacked.server.secrets[2:] if secret in text]
    assert not [line for line in text.splitlines() if not line.isprintable()]
    token = attacked.tokens[0].removeprefix("Bearer ")
    with pytest.MonkeyPatch.context() as patched:
        if token:
            patched.setenv("FLEETLOG_TOKEN", token)
        client = fleetlog.Client(attacked.up.target, values.NAMESPACE)
        with fleetlog.start_run("after", target=attacked.up.target, namespace=values.NAMESPACE) as good:
            good.log({"x": 1.0})
            good.flush(timeout=100, level="applied")
        assert client.get_run(good.id).metrics == {"x": 1.0}
