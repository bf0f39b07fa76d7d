"""A private CA for a first trial, and the certificates that it issues, made with `cryptography`."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS = 3650
EARLIER = timedelta(hours=1)
"""Certificates begin so long ago: clocks of other machines may be behind."""
_USAGES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


class NotOurs(Exception):
    """A file that is no CA of this kind: which, and the mend."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA whose key is at hand."""

    pair: Pair

    @classmethod
    def made(cls, now: datetime) -> Authority:
        """A new one."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "fleetlog"),
                x509.NameAttribute(NameOID.COMMON_NAME, f"fleetlog private CA {now:%Y-%m-%d %H:%M:%S}"),
            ]
        )
        builder = _begun(name, name, key.public_key(), now, CA_DAYS)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(is_ca=True), critical=True)
            .add_extension(identifier, critical=False)
            .sign(key, SHA256())
        )
        return cls(Pair(certificate.public_bytes(Encoding.PEM), _pem(key)))

    def issued(self, names: Sequence[str], now: datetime, days: int) -> Pair:
        """A certificate for servers and clients of these names and addresses; the first is whose it is. NotOurs."""
        own = x509.load_pem_x509_certificate(self.pair.certificate)
        own_key = load_pem_private_key(self.pair.key, None)
        if not isinstance(own_key, ec.EllipticCurvePrivateKey):
            raise NotOurs(
                "the CA's key is of another kind than those that are made here: issue certificates with it elsewhere"
            )
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
        certificate = (
            _begun(subject, own.subject, key.public_key(), now, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
            .add_extension(_key_usage(is_ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(_USAGES), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(own_key.public_key()), critical=False)
            .sign(own_key, SHA256())
        )
        return Pair(certificate.public_bytes(Encoding.PEM), _pem(key))


def names_of(certificate: bytes) -> list[str]:
    """Names and addresses that the first certificate of a file is for. ValueError: it has none."""
    found = x509.load_pem_x509_certificate(certificate)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


def end_of(certificate: bytes) -> datetime:
    """Time at which the first certificate of a file ends, UTC. ValueError: it has none."""
    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc


def current_certificates(bundle: bytes, now: datetime) -> list[bytes]:
    """Certificates of a file that have not ended, each as PEM. ValueError: it has none."""
    found = x509.load_pem_x509_certificates(bundle)
    return [one.public_bytes(Encoding.PEM) for one in found if one.not_valid_after_utc > now]


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + timedelta(days=days))
    )


def _key_usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca, key_cert_sign=is_ca, crl_sign=is_ca, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
