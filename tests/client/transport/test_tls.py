"""A client that speaks TLS: whom it trusts, what it is told when the two sides don't fit, files that are replaced."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import fleetlog
import grpc
import pytest
from fleetlog._transport.connection import connection_to, resolve_namespace
from fleetlog._transport.targets import resolve_target
from fleetlog_core.serving.server import GrpcServer
from fleetlog_core.serving.tls import TlsFiles
from fleetlog_proto.v1 import ingest_pb2

from tests.core.serving.certificates import Authority

SERVICE = "fleetlog.v1.IngestService"
NAMES = ("localhost", "127.0.0.1")


async def position(request: ingest_pb2.GetLogPositionRequest, context: object) -> ingest_pb2.GetLogPositionResponse:
    return ingest_pb2.GetLogPositionResponse()


def register(server: grpc.aio.Server) -> None:
    """One call."""
    handler: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(
        position, ingest_pb2.GetLogPositionRequest.FromString, ingest_pb2.GetLogPositionResponse.SerializeToString
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"GetLogPosition": handler}),))


@contextmanager
def serving(files: TlsFiles | None) -> Iterator[str]:
    """host:port of a server, with TLS when there are files for it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    async def made() -> GrpcServer:
        server = GrpcServer("127.0.0.1", 0, tls=files)
        server.add(register, SERVICE)
        return server

    server = run(made())
    try:
        yield f"localhost:{run(server.start())}"
    finally:
        run(server.drain(0.0))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def ask(target: str) -> None:
    connection = connection_to(target)
    connection.call(connection.ingest.GetLogPosition, ingest_pb2.GetLogPositionRequest(), 60.0)


def test_a_server_with_tls_is_reached_by_its_scheme_and_each_misfit_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, stranger = Authority.made(tmp_path / "ours"), Authority.made(tmp_path / "theirs")
    files = authority.issue(*NAMES, into=tmp_path / "server")

    def told(target: str) -> str:
        with pytest.raises(fleetlog.Unavailable) as error:
            ask(target)
        return error.value.message

    with serving(files) as address, serving(None) as plain:
        monkeypatch.setenv("FLEETLOG_CA", str(authority.ca_file))
        ask(f"fleetlogs://{address}")
        assert f"speaks TLS: give fleetlogs://{address}" in told(address)
        assert f"speaks without TLS; give {plain} without fleetlogs://" in told(f"fleetlogs://{plain}")
        monkeypatch.setenv("FLEETLOG_CA", str(stranger.ca_file))
        assert "name the CA's file in FLEETLOG_CA" in told(f"fleetlogs://{address.replace('localhost', '127.0.0.1')}")


def test_a_certificate_for_another_name_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority.made(tmp_path / "ours")
    monkeypatch.setenv("FLEETLOG_CA", str(authority.ca_file))
    with (
        serving(authority.issue("other.example")) as address,
        pytest.raises(fleetlog.Unavailable, match="another name"),
    ):
        ask(f"fleetlogs://{address}")


def test_a_connection_goes_on_when_the_server_and_the_trusted_ca_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Authority.made(tmp_path / "first"), Authority.made(tmp_path / "second")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(first.ca_file.read_bytes())
    monkeypatch.setenv("FLEETLOG_CA", str(trusted))
    files = first.issue(*NAMES, into=tmp_path / "server")
    with serving(files) as address:
        target = f"fleetlogs://{address}"
        ask(target)
        second.issue(*NAMES, into=tmp_path / "server")
        connection_to(target).renew()
        with pytest.raises(fleetlog.Unavailable):
            ask(target)
        trusted.write_bytes(second.ca_file.read_bytes())
        ask(target)


def test_a_client_shows_the_certificate_that_a_server_wants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority.made(tmp_path / "ours")
    files = replace(authority.issue(*NAMES, into=tmp_path / "server"), client_ca=authority.ca_file)
    client = authority.issue("ann", into=tmp_path / "ann")
    monkeypatch.setenv("FLEETLOG_CA", str(authority.ca_file))
    with serving(files) as address:
        with pytest.raises(fleetlog.Unavailable, match="FLEETLOG_CLIENT_CERTIFICATE"):
            ask(f"fleetlogs://{address}")
        monkeypatch.setenv("FLEETLOG_CLIENT_CERTIFICATE", str(client.certificate))
        with pytest.raises(fleetlog.InvalidArgument, match="FLEETLOG_CLIENT_KEY"):
            fleetlog.Client("fleetlogs://localhost:1")
        monkeypatch.setenv("FLEETLOG_CLIENT_KEY", str(client.key))
        ask(f"fleetlogs://{address}")


def test_a_file_that_is_no_pem_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (tmp_path / "missing.pem", tmp_path):
        monkeypatch.setenv("FLEETLOG_CA", str(path))
        with pytest.raises(fleetlog.InvalidArgument, match="FLEETLOG_CA") as error:
            fleetlog.Client("fleetlogs://localhost:1")
        assert error.value.reason == "TLS_FILE"


def test_an_address_may_have_a_namespace_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLEETLOG_NAMESPACE", raising=False)
    for given in ("fleetlogs://host:1/vision", "fleetlog://host:1/vision/"):
        assert resolve_target(given).endswith("host:1")
        assert resolve_namespace(None, given) == "vision"
        assert resolve_namespace("given", given) == "given"
    with pytest.raises(fleetlog.InvalidArgument, match="namespace"):
        resolve_namespace(None, "fleetlogs://host:1/A B")
