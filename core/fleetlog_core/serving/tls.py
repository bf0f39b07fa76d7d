"""TLS of a server's port: certificate, key and trusted client CA from files, read again when they change.

Rotating is replacing the files: connections that are made after it have the new certificate, others go on. A pair that
does not fit, such as a half-written one, is told of, and the one before stays in use.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

diagnostics = logging.getLogger(__name__)
_Stamp = tuple[tuple[int, int, int], ...]


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


class Certificates:
    """The files of one port, looked at before each handshake. gRPC asks from threads of its own, one at a time."""

    def __init__(self, files: TlsFiles) -> None:
        """Reads them. TlsRefused."""
        self._files = files
        self._stamp, self._current = _stamped(files), files.read()
        self._refused: _Stamp | None = None
        """Stamp of files that were no good, told of once."""

    def credentials(self) -> grpc.ServerCredentials:
        """Credentials for a port."""
        make: Callable[..., grpc.ServerCredentials] = grpc.dynamic_ssl_server_credentials
        return make(self._current, self.changed, self._files.client_ca is not None)

    def changed(self) -> grpc.ServerCertificateConfiguration | None:
        """What the files have now, if it is new and good; None: what was there before stays."""
        try:
            stamp = self._files.stamp()
        except OSError as error:
            self._tell((), f"{error.filename} can't be read: {error.strerror}")
            return None
        if stamp in (self._stamp, self._refused):
            return None
        try:
            self._current = self._files.read()
        except TlsRefused as error:
            self._tell(stamp, str(error))
            return None
        self._stamp, self._refused = stamp, None
        diagnostics.info("the certificate was read again: %s", self._files.certificate)
        return self._current

    def _tell(self, stamp: _Stamp, what: str) -> None:
        if stamp != self._refused:
            self._refused = stamp
            diagnostics.warning("the certificate that was there before stays in use: %s", what)


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
