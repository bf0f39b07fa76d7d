"""`fleetlog certificates`: what it makes, what it leaves alone, and that TLS takes it."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fleetlog_core.serving.tls import TlsFiles, https_context
from fleetlog_deploy.certificates.authority import NotOurs, names_of
from fleetlog_deploy.certificates.folders import RENEW_DAYS, put

from tests.deploy.processes import fleetlog

ASKED = {"server": ["localhost", "127.0.0.1"]}
NOW = datetime.now(UTC)
DAYS = 90


def made(directory: Path, now: datetime = NOW, *, renew: bool = False, new_ca: bool = False) -> list[str]:
    return list(put(directory, ASKED, now, DAYS, renew=renew, new_ca=new_ca))


def greeted(folder: Path, ca_file: Path) -> bool:
    """True if somebody who trusts the CA comes to terms with a server that has the folder's certificate."""
    server = https_context(TlsFiles(folder / "tls.crt", folder / "tls.key"))
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True) as connection:
                connection.recv(1)
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with ssl.create_default_context(cafile=ca_file).wrap_socket(ours, server_hostname="localhost"):
            return True
    except ssl.SSLCertVerificationError:
        return False
    finally:
        ours.close()
        thread.join()


def test_a_server_with_what_it_made_is_trusted_and_keys_are_its_users_alone(tmp_path: Path) -> None:
    made(tmp_path / "private")
    folder = tmp_path / "private" / "server"
    assert greeted(folder, folder / "ca.crt")
    assert greeted(folder, tmp_path / "private" / "ca.crt")
    assert (folder / "tls-combined.pem").read_bytes() == (folder / "tls.key").read_bytes() + (
        folder / "tls.crt"
    ).read_bytes()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "private").rglob("*")}
    assert {name for name, mode in modes.items() if mode & 0o077} == {"ca.crt", "tls.crt"}
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o700


def test_what_is_there_stays_until_it_ends_soon_or_is_for_other_names(tmp_path: Path) -> None:
    made(tmp_path)
    before = (tmp_path / "server" / "tls.crt").read_bytes()
    assert made(tmp_path) == []
    assert made(tmp_path, NOW + timedelta(days=DAYS - RENEW_DAYS - 1)) == []
    assert (tmp_path / "server" / "tls.crt").read_bytes() == before
    (line,) = made(tmp_path, NOW + timedelta(days=DAYS - RENEW_DAYS + 1))
    assert line.startswith(f"{tmp_path / 'server' / 'tls.crt'}: for localhost, 127.0.0.1, until ")
    after = (tmp_path / "server" / "tls.crt").read_bytes()
    assert after != before
    assert list(put(tmp_path, {"server": ["example.com"]}, NOW, DAYS))
    assert names_of((tmp_path / "server" / "tls.crt").read_bytes()) == ["example.com"]


def test_a_ca_is_replaced_while_the_old_one_is_still_trusted(tmp_path: Path) -> None:
    made(tmp_path)
    folder, old = tmp_path / "server", tmp_path / "old.crt"
    old.write_bytes((tmp_path / "ca.crt").read_bytes())
    assert len(made(tmp_path, new_ca=True)) == 2
    assert greeted(folder, folder / "ca.crt"), "its certificate is still of the old one"
    made(tmp_path, renew=True)
    assert greeted(folder, folder / "ca.crt")
    assert not greeted(folder, old)
    assert made(tmp_path) == []


def test_a_ca_that_is_elsewhere_or_has_ended_is_not_replaced_unasked(tmp_path: Path) -> None:
    made(tmp_path)
    with pytest.raises(NotOurs, match="the CA has ended; make another with --new-ca"):
        made(tmp_path, NOW + timedelta(days=4_000))
    (tmp_path / "ca.key").unlink()
    with pytest.raises(NotOurs, match="issues its certificates elsewhere"):
        made(tmp_path)


def test_the_command_makes_them_and_names_what_it_does_not_take(tmp_path: Path) -> None:
    private = tmp_path / "private"
    good, wrong, nowhere = fleetlog(
        ("certificates", private, "--for", "server=localhost,::1", "--for", "kafka=kafka", "--shared"),
        ("certificates", private, "--for", "../server=localhost"),
        ("certificates", "/dev/null/x", "--for", "server=localhost"),
    )
    assert (good.code, good.err) == (0, "")
    assert [Path(line.partition(":")[0]).relative_to(private).as_posix() for line in good.out.splitlines()] == [
        "ca.key", "ca.crt", "server/tls.crt", "kafka/tls.crt",
    ]  # fmt: skip
    assert stat.S_IMODE((private / "kafka").stat().st_mode) == 0o755
    assert stat.S_IMODE((private / "kafka" / "tls.key").stat().st_mode) == 0o644
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert stat.S_IMODE((private / "ca.key").stat().st_mode) == 0o600
    assert (wrong.code, "FOLDER=NAME,NAME" in wrong.err) == (2, True)
    assert (nowhere.code, nowhere.err.startswith("fleetlog: ")) == (1, True)
