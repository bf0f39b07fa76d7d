"""Certificates, CAs, tokens and keys that are replaced while a training logs: it goes on, and loses nothing.

Connections are cut at each step, so that the next one meets what was put in place. The servers over Kafka, ClickHouse
and S3 have the settings of kubernetes/.
"""

from __future__ import annotations

import secrets
import signal
import socket
import ssl
from pathlib import Path

import fleetlog as client
import pytest
from fleetlog_proto.v1 import query_pb2

from tests.core.proxy import Proxy
from tests.deploy.processes import running
from tests.deploy.secured import issue, kubernetes_environment, secured
from tests.deploy.streaming import Training
from tests.deploy.watching import ready
from tests.ports import free_port
from tests.waiting import reached


def certificate_at(port: int, private: Path) -> str:
    """PEM of what a server shows to somebody who trusts the CA, and has the client's certificate where there is one."""
    context = ssl.create_default_context(cafile=private / "ca.crt")
    context.set_alpn_protocols(["h2"])
    if (private / "client").exists():
        context.load_cert_chain(private / "client" / "tls.crt", private / "client" / "tls.key")
    with (
        socket.create_connection(("localhost", port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        found = connection.getpeercert(binary_form=True)
    assert found is not None
    return ssl.DER_cert_to_PEM_cert(found)


@pytest.mark.timeout(600)
def test_certificates_cas_and_tokens_of_a_server_that_wants_both_of_its_clients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, data, token_file = tmp_path / "private", tmp_path / "data", tmp_path / "token"
    issue(private, "server", "client")
    port = free_port()
    settings = {
        "FLEETLOG_SERVER_CERTIFICATE_FILE": str(private / "server" / "tls.crt"),
        "FLEETLOG_SERVER_KEY_FILE": str(private / "server" / "tls.key"),
        "FLEETLOG_SERVER_CLIENT_CA_FILE": str(private / "server" / "ca.crt"),
    }
    for name, value in {
        "FLEETLOG_CA": private / "client" / "ca.crt",
        "FLEETLOG_CLIENT_CERTIFICATE": private / "client" / "tls.crt",
        "FLEETLOG_CLIENT_KEY": private / "client" / "tls.key",
        "FLEETLOG_TOKEN_FILE": token_file,
    }.items():
        monkeypatch.setenv(name, str(value))
    command = ("up", "--data", str(data), "--port", str(port), "--web-port", "0", "--auth")
    with running(*command, environment=settings) as server, Proxy("127.0.0.1", port) as network:
        target = f"fleetlogs://localhost:{network.port}"
        admin = (data / "admin.token").read_text()
        token_file.write_text(admin)
        reader = client.Client(target)
        tokens = [reader.create_token(name, ["admin@*"]) for name in ("first", "second")]
        token_file.write_text(tokens[0].secret)
        with Training(client.start_run("x", target=target)) as training:
            training.goes_on()

            def goes_on() -> None:
                network.cut()
                training.goes_on()

            before = certificate_at(port, private)
            issue(private, "server", "client", renew=True)
            assert certificate_at(port, private) != before
            goes_on()

            # Another CA: first both are trusted everywhere, then certificates are of the new one, then it is alone.
            issue(private, "server", "client", new_ca=True)
            goes_on()
            issue(private, "server", "client", renew=True)
            goes_on()
            (new, *old) = (private / "ca.crt").read_text().split("-----BEGIN")[1:]
            assert len(old) == 1
            for path in (private, private / "server", private / "client"):
                (path / "ca.fresh").write_text(f"-----BEGIN{new}")
                (path / "ca.fresh").replace(path / "ca.crt")
            goes_on()

            token_file.write_text(tokens[1].secret)
            reader.revoke_token(tokens[0].token.id)
            training.goes_on(500)
            assert reader.whoami().principal == "second"
        training.check(reader)
        assert server.stop(signal.SIGTERM) == 0


@pytest.mark.timeout(600)
def test_the_ca_of_the_engines_and_the_key_of_page_tokens(
    kafka_server: str, clickhouse_server: str, s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = ("server", "materializer", "kafka", "clickhouse", "minio")
    with secured(kafka_server, clickhouse_server, s3_server, tmp_path) as own:
        issue(own.private, *folders)
        monkeypatch.setenv("FLEETLOG_CA", str(own.private / "ca.crt"))
        monkeypatch.setenv("FLEETLOG_TOKEN_FILE", str(own.private / "secrets" / "admin_token"))
        port = str(free_port())
        parts, key = ("gateway", "query"), own.private / "secrets" / "token_key"

        folding = own.serve(kubernetes_environment("materializer", own.private), "materializer")
        server = own.serve(kubernetes_environment("server", own.private), *parts, FLEETLOG_SERVER_PORT=port)
        ready(folding, server)
        reader = client.Client(f"fleetlogs://localhost:{port}")
        with Training(client.start_run("x", target=f"fleetlogs://localhost:{port}")) as training:
            training.goes_on()

            # Both CAs are trusted, then the engines' certificates are of the new one, met by new connections.
            for new_ca, renew in ((True, False), (False, True)):
                issue(own.private, *folders, new_ca=new_ca, renew=renew)
                accepted = [proxy.accepted for proxy in own.proxies]
                for proxy in own.proxies:
                    proxy.cut()
                training.goes_on()
                with client.start_run("files", target=f"fleetlogs://localhost:{port}") as other:
                    (tmp_path / "model.bin").write_bytes(bytes([new_ca]) * 100)
                    other.log_artifact(tmp_path / "model.bin")
                reached(lambda other=other: reader.get_run(other.id).state == "FINISHED", 200)  # type: ignore[misc]
                assert all(proxy.accepted > before for proxy, before in zip(own.proxies, accepted, strict=True))
            ready(folding, server)

            # A page token that was given out before a start is taken after it (each step: tests/query/search).
            page, old = search(reader, ""), key.read_text()
            assert server.stop(signal.SIGTERM) == 0
            key.write_text(f"{secrets.token_hex(32)},{old}")
            own.serve(kubernetes_environment("server", own.private), *parts, FLEETLOG_SERVER_PORT=port)
            reached(lambda: is_taken(reader, page), 200)
            training.goes_on()
        training.check(reader)


def search(reader: client.Client, page_token: str) -> str:
    """The token of the page after this one; pages have one run."""
    connection = reader._connection
    request = query_pb2.SearchRunsRequest(page_size=1, page_token=page_token)
    return connection.call(connection.query.SearchRuns, request, 200.0).next_page_token


def is_taken(reader: client.Client, page_token: str) -> bool:
    """True if there is a page behind the token; False while the connection is not made anew."""
    try:
        return bool(search(reader, page_token))
    except client.Unavailable:
        return False
