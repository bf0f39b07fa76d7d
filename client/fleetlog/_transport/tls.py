"""TLS of a client: whom it trusts and who it says it is, by files that the environment names.

FLEETLOG_CA                   PEM of the CA that signed the server's certificate; not set: what the system trusts. An
                              object store that large files go to is trusted by it too, and by the system
FLEETLOG_CLIENT_CERTIFICATE   PEM of the client's certificate, for servers that want one
FLEETLOG_CLIENT_KEY           PEM of its key
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from pathlib import Path

import grpc
from fleetlog_core.errors import InvalidArgument, shown

CA, CERTIFICATE, KEY = "FLEETLOG_CA", "FLEETLOG_CLIENT_CERTIFICATE", "FLEETLOG_CLIENT_KEY"
PROBE_SECONDS = 2.0
"""Longest look at a server that does not answer, for whether it speaks TLS."""
_HOST_AND_PORT = re.compile(r"\[?([^\[\]:]+|[0-9A-Fa-f:]+)\]?:([0-9]{1,5})")
_NAMES = (CA, CERTIFICATE, KEY)


class ClientTls:
    """Credentials of channels to one server, from files that may be replaced meanwhile."""

    def __init__(self) -> None:
        """Reads the files. InvalidArgument TLS_FILE."""
        self._stamp = _stamp()
        self._read = _read()

    def credentials(self) -> grpc.ChannelCredentials:
        """Credentials for a channel that is made now. Files that can't be read now are as they were before."""
        if self.is_changed:
            stamp = _stamp()
            try:
                self._read = _read()
            except InvalidArgument:
                return grpc.ssl_channel_credentials(*self._read)
            self._stamp = stamp
        return grpc.ssl_channel_credentials(*self._read)

    @property
    def is_changed(self) -> bool:
        """True if a file is another one than when it was read."""
        return _stamp() != self._stamp


def store_context() -> ssl.SSLContext:
    """TLS to an object store, whose address comes from the server: trusts the system's CAs and FLEETLOG_CA. OSError."""
    context = ssl.create_default_context()
    if path := os.environ.get(CA):
        context.load_verify_locations(path)
    return context


def speaks_tls(address: str) -> bool:
    """True if what listens at host:port begins TLS. Nothing is sent to it but a greeting, and nobody is trusted."""
    parts = _HOST_AND_PORT.fullmatch(address)
    if parts is None:
        return False
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((parts[1], int(parts[2])), PROBE_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=parts[1]),
        ):
            return True
    except (OSError, ValueError):
        return False


def _stamp() -> tuple[object, ...]:
    return tuple(_stamp_of(name) for name in _NAMES)


def _stamp_of(name: str) -> object:
    path = os.environ.get(name)
    if not path:
        return None
    try:
        stat = Path(path).stat()
    except OSError:
        return path
    return path, stat.st_ino, stat.st_mtime_ns, stat.st_size


def _read() -> tuple[bytes | None, bytes | None, bytes | None]:
    """CA, key and certificate, in gRPC's order."""
    ca, certificate, key = (_file(name) for name in _NAMES)
    if (certificate is None) != (key is None):
        missing, there = (CERTIFICATE, KEY) if certificate is None else (KEY, CERTIFICATE)
        raise InvalidArgument.of_field("TLS_FILE", missing, f"it is not set, and {there} is: set both or neither")
    return ca, key, certificate


def _file(name: str) -> bytes | None:
    path = os.environ.get(name)
    if not path:
        return None
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InvalidArgument.of_field(
            "TLS_FILE", name, f"{shown(path)} can't be read: {error.strerror}; give a PEM file"
        ) from None
    if b"-----BEGIN " not in data:
        raise InvalidArgument.of_field("TLS_FILE", name, f"{shown(path)} is no PEM file")
    return data
