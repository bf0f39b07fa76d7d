"""`fleetlog up --auth` over TLS: the first admin, tokens that it makes, and what becomes of a run whose token goes."""

from __future__ import annotations

import json
import signal
import stat
import urllib.error
import urllib.request
from pathlib import Path

import fleetlog as client
import pytest

from tests.core.serving.certificates import Authority
from tests.deploy.processes import fleetlog, running
from tests.ports import free_port
from tests.waiting import reached


def test_the_first_admin_makes_tokens_and_revokes_them_over_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, data = Authority.made(tmp_path / "ca"), tmp_path / "data"
    files = authority.issue("localhost", "127.0.0.1", into=tmp_path / "server")
    admin, token = data / "admin.token", tmp_path / "token"
    trusting = {"FLEETLOG_CA": str(authority.ca_file), "FLEETLOG_CONFIG_HOME": str(tmp_path / "home")}
    as_admin = {**trusting, "FLEETLOG_TOKEN_FILE": str(admin)}
    for name, value in {**trusting, "FLEETLOG_TOKEN_FILE": str(token)}.items():
        monkeypatch.setenv(name, value)
    tls = {"FLEETLOG_SERVER_CERTIFICATE_FILE": str(files.certificate), "FLEETLOG_SERVER_KEY_FILE": str(files.key)}
    web = free_port()
    command = ("up", "--data", str(data), "--port", "0", "--web-port", str(web), "--auth")
    with running(*command, environment=tls) as server:
        target = server.target
        assert target.startswith("fleetlogs://")
        assert stat.S_IMODE(admin.stat().st_mode) == 0o600
        told = ("--target", target)
        (nobody,) = fleetlog(("whoami", *told), environment=trusting)
        assert (nobody.code, "valid token" in nobody.err) == (1, True)
        creating = ("tokens", "create", "ci", "--role", "writer@vision", "--expires", "1h", *told)
        (made,) = fleetlog(creating, environment=as_admin)
        assert made.code == 0, made.err
        token.write_text(made.out)
        mine, others = client.Client(target, "vision"), client.Client(target)
        assert mine.whoami().roles == ("writer@vision",)
        assert json.loads(who_am_i(web, token.read_text().strip()))["grants"] == [
            {"role": "ROLE_WRITER", "namespace": "vision"}
        ]
        with pytest.raises(urllib.error.HTTPError) as nobody_there:
            who_am_i(web, "another")
        assert nobody_there.value.code == 401
        run = client.start_run("x", target=target, namespace="vision")
        run.log({"a": 1.0})
        run.flush(timeout=100)
        with pytest.raises(client.NotFound) as foreign:
            others.get_run(run.id)
        with pytest.raises(client.NotFound) as missing:
            mine.get_run("0" * 32)
        assert str(foreign.value).replace(run.id, "0" * 32) == str(missing.value)
        with pytest.raises(client.PermissionDenied, match="the role reader in the namespace 'default'"):
            others.search_runs()
        with pytest.raises(client.PermissionDenied, match="the role admin"):
            mine.denied_calls()
        with pytest.raises(client.PermissionDenied):
            list(others.events())
        with pytest.raises(client.NotFound) as foreign:
            list(others.events(run.id))
        assert "there is no run" in str(foreign.value)
        listed, revoked = fleetlog(
            ("tokens", "ls", *told), ("tokens", "revoke", "ci", *told), environment=as_admin
        )  # fmt: skip
        assert (listed.code, revoked.code) == (0, 0), listed.err + revoked.err
        audited, tokens, denied = fleetlog(
            ("audit", run.id, "--namespace", "vision", "--json", *told),
            ("audit", "--all-namespaces", "--kind", "token_created", *told),
            ("audit", "--denied", "--all-namespaces", *told),
            environment=as_admin,
        )  # fmt: skip
        assert audited.code == 0, audited.err
        events = [json.loads(line) for line in audited.out.splitlines()]
        assert {(one["principal"], one["token"], one["namespace"]) for one in events} == {("ci", "ci", "vision")}
        assert all(one["gateway"] for one in events)
        (heads, *rows) = [line.split("\t") for line in tokens.out.splitlines()]
        assert [(row[heads.index("who")], row[heads.index("kinds")]) for row in rows] == [("admin", "token_created")]
        (heads, *rows) = [line.split("\t") for line in denied.out.splitlines()]
        told_of = {tuple(row[heads.index(head)] for head in ("who", "reason", "namespace")) for row in rows}
        assert {
            ("", "UNAUTHENTICATED", ""), ("ci", "ROLE_MISSING", "default"), ("ci", "FOREIGN_NAMESPACE", "default")
        } <= told_of  # fmt: skip
        assert made.out.strip() not in listed.out + made.err
        reached(lambda: _is_unknown(mine), 100)
        # A stream that was open before ends a moment later.
        reached(lambda: _waits(run), 100)
        token.write_text(admin.read_text())
        run.finish(timeout=100)
        points = mine.read_metric(run.id, "a")
        assert points.steps.tolist() == list(range(len(points.steps))), "it waited for a token, and nothing was lost"
        assert points.values[-1] == 2.0
        assert server.stop(signal.SIGTERM) == 0
        assert f"the token of the first admin is in {admin}" in server.err
    secret = made.out.strip().split("_", 2)[2]
    for path in data.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


def who_am_i(port: int, token: str) -> bytes:
    """The answer of the same call over HTTP."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/fleetlog.v1.AuthService/WhoAmI",
        b"{}",
        {"content-type": "application/json", "authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: bytes = answer.read()
    return found


def _waits(run: client.Run) -> bool:
    run.log({"a": 2.0})
    try:
        run.flush(timeout=0.5)
    except client.DeadlineExceeded:
        return True
    return False


def _is_unknown(reader: client.Client) -> bool:
    try:
        reader.whoami()
    except client.Unauthenticated:
        return True
    return False
