from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Mapping
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from fleetlog_core.serving.server import PortTaken
from fleetlog_deploy import web
from fleetlog_deploy.settings.load import SettingsRefused
from fleetlog_deploy.settings.model import AuthSettings, ServerSettings, Settings, WebSettings
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.deploy.processes import fleetlog, running, up
from tests.ports import free_port


def call(address: str, path: str, request: Mapping[str, Any]) -> tuple[int, Any]:
    connection = HTTPConnection(address.removeprefix("http://"), timeout=120)
    try:
        connection.request("POST", path, json.dumps(request), {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_the_web_address_beside_a_server_and_apart_from_it(tmp_path: Path) -> None:
    port = free_port()
    with up(tmp_path, "--port", "0", "--web-port", str(port)) as server:
        address = str(server.ready["web"])
        assert address == f"http://127.0.0.1:{port}"
        made = call(address, "/fleetlog.v1.IngestService/LogRun", {"name": "curl", "params": {"lr": 0.1}})
        assert made[0] == 200, made
        (taken,) = fleetlog(
            ("serve", "web", "--query", server.target, "--ingest", server.target, "--web-port", str(port))
        )
        assert (taken.code, taken.out) == (1, "")
        assert taken.err.endswith(f"127.0.0.1:{port} is taken: give another --web-port, or stop what listens there\n")

        options = ("--query", server.target, "--ingest", server.target, "--web-port", str(free_port()))
        with running("serve", "web", *options, "--metrics-port", "0") as apart:
            assert set(apart.ready) == {"parts", "web", "metrics", "pid"}
            asked = {"run_id": made[1]["runId"], "at_least": made[1]["position"]}
            status, found = call(str(apart.ready["web"]), "/fleetlog.v1.QueryService/GetRun", asked)
            assert (status, found["run"]["name"]) == (200, "curl")
            metrics = HTTPConnection(str(apart.ready["metrics"]), timeout=120)
            metrics.request("GET", "/readyz")
            assert metrics.getresponse().status == 200
            metrics.close()
            assert apart.stop(signal.SIGTERM) == 0

        # What is live holds up no stop.
        with connect(f"ws://127.0.0.1:{port}/live", origin=Origin(address), proxy=None):
            assert server.stop(signal.SIGTERM) == 0
        assert server.err == ""


def test_a_part_that_is_nothing_but_the_port_has_one() -> None:
    with pytest.raises(SettingsRefused, match=r"web\.port = 0"):
        asyncio.run(web.run_web(Settings(web=WebSettings(port=0)), print))


@pytest.mark.parametrize("is_taken", [False, True])
def test_the_usual_port_is_used_where_it_is_free_and_another_one_where_not(
    monkeypatch: pytest.MonkeyPatch, is_taken: bool
) -> None:
    usual = free_port()
    monkeypatch.setattr(web, "WEB_PORT", usual)
    settings = web.with_usual_web_port(Settings())
    assert web.with_usual_web_port(Settings(web=WebSettings(port=0))).web.port == 0

    async def port(*, or_free: bool) -> int:
        made = web.web_port(settings, or_free=or_free)
        assert made is not None
        found = await made.start("127.0.0.1:1", "127.0.0.1:1")
        await made.stop(0)
        return found

    with socket.socket() as listener:
        if is_taken:
            listener.bind(("127.0.0.1", usual))
            listener.listen()
            with pytest.raises(PortTaken, match="--web-port"):
                asyncio.run(port(or_free=False))
        assert (asyncio.run(port(or_free=True)) == usual) is not is_taken


def test_an_address_beyond_this_machine_is_asked_for_twice() -> None:
    with pytest.raises(SettingsRefused, match=r"server\.insecure"):
        web.web_port(Settings(web=WebSettings(host="0.0.0.0", port=1)))
    assert (
        web.web_port(Settings(web=WebSettings(host="0.0.0.0", port=1), server=ServerSettings(insecure=True)))
        is not None
    )
    assert web.web_port(Settings(web=WebSettings(port=0))) is None
    assert web.web_port(Settings()) is None


def test_with_tls_and_tokens_an_address_may_be_any() -> None:
    secure = WebSettings(host="0.0.0.0", port=1, certificate_file="c", key_file="k")
    assert web.web_port(Settings(web=secure, auth=AuthSettings(enabled=True))) is not None
    assert web.web_port(Settings(web=replace(secure, query="a:1", ingest="a:1"))) is not None, "those ask"
    for lacking in (
        Settings(web=secure),
        Settings(web=replace(secure, certificate_file="", key_file=""), auth=AuthSettings(enabled=True)),
    ):
        with pytest.raises(SettingsRefused, match=r"set web\.certificate_file, web\.key_file and \[auth\]"):
            web.web_port(lacking)
    with pytest.raises(SettingsRefused, match=r"web\.key_file is not set"):
        web.web_port(Settings(web=WebSettings(port=1, certificate_file="c")))
    assert web.url_of_web(secure, 5) == "https://127.0.0.1:5"


def test_a_port_without_tokens_is_no_way_around_certificates() -> None:
    server = ServerSettings(certificate_file="c", key_file="k", client_ca_file="a")
    assert web.with_usual_web_port(Settings(server=server)).web.port == 0
    with pytest.raises(SettingsRefused, match="client_ca_file"):
        web.web_port(Settings(server=server, web=WebSettings(port=1)))
    assert web.web_port(Settings(server=server, web=WebSettings(port=1), auth=AuthSettings(enabled=True))) is not None


@pytest.mark.parametrize(
    ("host", "address"),
    [("0.0.0.0", "127.0.0.1:5"), ("::", "[::1]:5"), ("127.0.0.1", "127.0.0.1:5"), ("box", "box:5"), ("::1", "[::1]:5")],
)
def test_the_address_that_is_told_leads_there(host: str, address: str) -> None:
    assert web.url_of_web(WebSettings(host=host), 5) == f"http://{address}"
