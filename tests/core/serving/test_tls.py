"""TLS of a port: certificates that are replaced, pairs that don't fit, clients that must have one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from fleetlog_core.serving.server import GrpcServer
from fleetlog_core.serving.tls import Certificates, TlsFiles, TlsRefused

from tests.core.serving.certificates import Authority

NAMES = ("localhost", "127.0.0.1")


@asynccontextmanager
async def serving(files: TlsFiles) -> AsyncIterator[str]:
    server = GrpcServer("127.0.0.1", 0, tls=files)
    port = await server.start()
    try:
        yield f"localhost:{port}"
    finally:
        await asyncio.shield(server.drain(0.0))


async def answers(target: str, credentials: grpc.ChannelCredentials | None) -> bool:
    """Whether a new connection to the server is made and answered."""
    options = (("grpc.use_local_subchannel_pool", 1),)
    channel = (
        grpc.aio.insecure_channel(target, options)
        if credentials is None
        else grpc.aio.secure_channel(target, credentials, options)
    )
    check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/grpc.health.v1.Health/Check")
    async with channel:
        try:
            await check(b"", timeout=60)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            return False
    return True


def trusting(authority: Authority, client: TlsFiles | None = None) -> grpc.ChannelCredentials:
    key, certificate = (None, None) if client is None else (client.key.read_bytes(), client.certificate.read_bytes())
    return grpc.ssl_channel_credentials(authority.ca_file.read_bytes(), key, certificate)


def test_a_certificate_that_is_replaced_is_that_of_the_next_connection(tmp_path: Path) -> None:
    first, second = Authority.made(tmp_path / "first"), Authority.made(tmp_path / "second")
    files = first.issue(*NAMES, into=tmp_path / "server")

    async def scenario() -> None:
        async with serving(files) as target:
            assert await answers(target, trusting(first))
            assert not await answers(target, None), "without TLS"
            second.issue(*NAMES, into=tmp_path / "server")
            assert await answers(target, trusting(second))
            assert not await answers(target, trusting(first))

    asyncio.run(scenario())


def test_a_server_with_a_client_ca_serves_those_alone_who_have_a_certificate_of_it(tmp_path: Path) -> None:
    authority, stranger = Authority.made(tmp_path / "ours"), Authority.made(tmp_path / "theirs")
    files = replace(authority.issue(*NAMES, into=tmp_path / "server"), client_ca=authority.ca_file)
    ours, theirs = authority.issue("ann", into=tmp_path / "ann"), stranger.issue("eve", into=tmp_path / "eve")

    async def scenario() -> None:
        async with serving(files) as target:
            assert await answers(target, trusting(authority, ours))
            assert not await answers(target, trusting(authority))
            assert not await answers(target, trusting(authority, theirs))

    asyncio.run(scenario())


def test_a_pair_that_does_not_fit_is_told_once_and_the_one_before_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority.made(tmp_path / "ca")
    files = authority.issue(*NAMES, into=tmp_path / "server")
    other = authority.issue(*NAMES, into=tmp_path / "other")
    certificates = Certificates(files)
    assert certificates.changed() is None, "nothing changed"
    files.key.write_bytes(other.key.read_bytes())
    with caplog.at_level(logging.WARNING):
        assert certificates.changed() is None
        assert certificates.changed() is None
    assert [record.message for record in caplog.records] == [
        "the certificate that was there before stays in use:"
        f" {files.key} is not the key of the first certificate in {files.certificate}"
    ]
    files.certificate.write_bytes(other.certificate.read_bytes())
    assert certificates.changed() is not None
    files.key.unlink()
    assert certificates.changed() is None


def test_files_that_make_no_tls_are_refused_with_their_name(tmp_path: Path) -> None:
    authority = Authority.made(tmp_path / "ca")
    files = authority.issue(*NAMES, into=tmp_path / "server")
    text = tmp_path / "text.pem"
    text.write_text("no PEM")
    for wrong, told in (
        (replace(files, certificate=tmp_path / "none.pem"), "none.pem can't be read"),
        (replace(files, certificate=text), "text.pem has no certificate in PEM"),
        (replace(files, key=text), "text.pem has no private key in PEM"),
        (replace(files, client_ca=text), "text.pem has no certificate in PEM"),
        (replace(files, certificate=authority.ca_file), "is not the key of the first certificate"),
    ):
        with pytest.raises(TlsRefused, match=told):
            Certificates(wrong)
