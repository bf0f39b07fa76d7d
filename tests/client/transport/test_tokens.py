"""Where a client's token comes from, and where it is not sent."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import fleetlog
import pytest
from fleetlog._transport import tokens
from fleetlog._transport.tokens import TokenSource, credentials_file, keep_token

from tests.ports import free_port

HERE, THERE = "localhost:1", "fleetlogs://tracking.example.com:1"


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEETLOG_CONFIG_HOME", str(tmp_path / "home"))
    for name in ("FLEETLOG_TOKEN", "FLEETLOG_TOKEN_FILE", "FLEETLOG_INSECURE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tokens, "LOOK_SECONDS", 0.0)


def shown(source: TokenSource) -> str:
    """The token that a call carries."""
    return dict(source.metadata()).get("authorization", "").removeprefix("Bearer ")


def test_the_environment_goes_before_the_file_and_the_file_before_what_login_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, file = TokenSource(HERE), tmp_path / "token"
    assert source.metadata() == ()
    keep_token(HERE, "of-login")
    assert shown(source) == "of-login"
    file.write_text("of-file\n")
    monkeypatch.setenv("FLEETLOG_TOKEN_FILE", str(file))
    assert shown(source) == "of-file"
    monkeypatch.setenv("FLEETLOG_TOKEN", "of-environment")
    assert shown(source) == "of-environment"


def test_a_file_is_read_again_when_it_changes_and_one_that_is_gone_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("first")
    monkeypatch.setenv("FLEETLOG_TOKEN_FILE", str(file))
    source = TokenSource(HERE)
    assert shown(source) == "first"
    file.unlink()
    assert shown(source) == "first"
    file.write_text("half a")
    assert shown(source) == "first", "no token has a blank"
    file.write_text("second")
    assert shown(source) == "second"
    file.unlink()
    with pytest.raises(fleetlog.InvalidArgument, match="FLEETLOG_TOKEN_FILE"):
        TokenSource(HERE)


def test_what_login_keeps_is_for_its_server_and_for_this_user_alone() -> None:
    keep_token(THERE, "secret")
    keep_token(HERE, "other")
    path = credentials_file()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert (shown(TokenSource(THERE)), shown(TokenSource(HERE))) == ("secret", "other")
    keep_token(HERE, "")
    assert json.loads(path.read_text()) == {"tokens": {THERE: "secret"}}
    path.write_text("no JSON")
    assert TokenSource(THERE).metadata() == ()


def test_a_token_goes_to_no_other_machine_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEETLOG_TOKEN", "secret")
    for target in (HERE, "127.0.0.1:1", "[::1]:1", "unix:/run/fleetlog", THERE):
        assert shown(TokenSource(target)) == "secret"
    for target in ("tracking.example.com:1", "localhost.example.com:1", "127.0.0.1.example.com:1", "10.0.0.1:1"):
        with pytest.raises(fleetlog.FailedPrecondition, match=f"give fleetlogs://{target}") as error:
            TokenSource(target)
        assert error.value.reason == "TOKEN_NEEDS_TLS"
        assert "secret" not in str(error.value)
    monkeypatch.setenv("FLEETLOG_INSECURE", "1")
    assert shown(TokenSource("10.0.0.1:1")) == "secret"


@pytest.mark.parametrize("text", ["a b", "ä", "a\x00b"])
def test_what_can_not_be_sent_is_no_token(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    monkeypatch.setenv("FLEETLOG_TOKEN_FILE", str(file))
    with pytest.raises(fleetlog.InvalidArgument) as error:
        fleetlog.Client(f"localhost:{free_port()}")
    assert (error.value.reason, text in str(error.value)) == ("TOKEN_INVALID", False)
