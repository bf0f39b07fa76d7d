"""TLS of a server's ports: certificate, key and trusted client CA from files, read again when they change.

Rotating is replacing the files: connections that are made after it have the new certificate, others go on. A pair that
does not fit, such as a half-written one, is told of, and the one before stays in use.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

diagnostics = logging.getLogger(__name__)
_Stamp = tuple[tuple[int, int, int], ...]
T = TypeVar("T")


class TlsRefused(Exception):
    """Files that make no TLS: which, why, and the mend."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of PEM files."""

    certificate: Path
    """The server's certificate, followed by those between it and its CA."""
    key: Path
    """Its private key, without a password."""
    client_ca: Path | None = None
    """CA of clients' certificates, without one of which nobody is served; None: clients need none."""

    @property
    def _paths(self) -> tuple[Path, ...]:
        return (self.certificate, self.key, *((self.client_ca,) if self.client_ca else ()))

    def stamp(self) -> _Stamp:
        """Identity of what the files hold: it changes when a file is replaced or written. OSError."""
        stats = [path.stat() for path in self._paths]
        return tuple((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in stats)

    def read(self) -> grpc.ServerCertificateConfiguration:
        """What a handshake needs. TlsRefused."""
        certificate, key = _bytes(self.certificate), _bytes(self.key)
        client_ca = None if self.client_ca is None else _bytes(self.client_ca)
        _check_pair(self, certificate, key)
        if client_ca is not None:
            _certificates(self.client_ca or Path(), client_ca)
        return grpc.ssl_server_certificate_configuration([(key, certificate)], client_ca)


class Watched(Generic[T]):
    """Something that is made of the files: made anew when they change, and as it was while they are no good.

    Files that are no good are told of once. For one thread at a time.
    """

    def __init__(self, files: TlsFiles, make: Callable[[TlsFiles], T]) -> None:
        """Makes it. TlsRefused, which `make` may raise too."""
        self.files = files
        self._make = make
        self._stamp, self.current = _stamped(files), make(files)
        self._refused: _Stamp | None = None

    def look(self) -> bool:
        """True if `current` is another one, since the files changed and are good."""
        try:
            stamp = self.files.stamp()
        except OSError as error:
            self._tell((), f"{error.filename} can't be read: {error.strerror}")
            return False
        if stamp in (self._stamp, self._refused):
            return False
        try:
            self.current = self._make(self.files)
        except TlsRefused as error:
            self._tell(stamp, str(error))
            return False
        self._stamp, self._refused = stamp, None
        diagnostics.info("the certificate was read again: %s", self.files.certificate)
        return True

    def _tell(self, stamp: _Stamp, what: str) -> None:
        if stamp != self._refused:
            self._refused = stamp
            diagnostics.warning("the certificate that was there before stays in use: %s", what)


class Certificates:
    """The files of one gRPC port, looked at before each handshake. gRPC asks from threads of its own, one at a time."""

    def __init__(self, files: TlsFiles) -> None:
        """Reads them. TlsRefused."""
        self._watched = Watched(files, TlsFiles.read)

    def credentials(self) -> grpc.ServerCredentials:
        """Credentials for a port."""
        make: Callable[..., grpc.ServerCredentials] = grpc.dynamic_ssl_server_credentials
        return make(self._watched.current, self.changed, self._watched.files.client_ca is not None)

    def changed(self) -> grpc.ServerCertificateConfiguration | None:
        """What the files have now, if it is new and good; None: what was there before stays."""
        return self._watched.current if self._watched.look() else None


def https_context(files: TlsFiles) -> ssl.SSLContext:
    """TLS of an HTTP port, from the files as they are at each handshake. TlsRefused."""
    watched = Watched(files, _https)

    def choose(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
        watched.look()
        connection.context = watched.current

    first = _https(files)
    first.sni_callback = choose
    return first


def _https(files: TlsFiles) -> ssl.SSLContext:
    files.read()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.certificate, files.key)
    except (OSError, ValueError):
        # Replaced since they were read.
        raise TlsRefused(f"{files.certificate} and {files.key} make no TLS") from None
    return context


def _stamped(files: TlsFiles) -> _Stamp:
    try:
        return files.stamp()
    except OSError as error:
        raise TlsRefused(f"{error.filename} can't be read: {error.strerror}") from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsRefused(f"{path} can't be read: {error.strerror}") from None


def _certificates(path: Path, data: bytes) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(data)
    except ValueError:
        found = []
    if not found:
        raise TlsRefused(f"{path} has no certificate in PEM: -----BEGIN CERTIFICATE-----")
    return found


def _check_pair(files: TlsFiles, certificate: bytes, key: bytes) -> None:
    first = _certificates(files.certificate, certificate)[0]
    try:
        private = load_pem_private_key(key, None)
    except (ValueError, TypeError):
        raise TlsRefused(f"{files.key} has no private key in PEM, or one with a password: give it without") from None
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if first.public_key().public_bytes(*form) != private.public_key().public_bytes(*form):
        raise TlsRefused(f"{files.key} is not the key of the first certificate in {files.certificate}")
