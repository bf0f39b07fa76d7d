"""The CA and its certificates as files.

    DIRECTORY/ca.crt, ca.key           the CA; nothing but `fleetlog certificates` needs its key
    DIRECTORY/NAME/tls.crt, tls.key    what a server has
    DIRECTORY/NAME/tls-combined.pem    the same as one file, for Kafka
    DIRECTORY/NAME/ca.crt              what to trust

The names are those that cert-manager gives to the files of its Secrets. Each file is put in the place of the old one,
so whoever reads them again when they change never sees half of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from fleetlog_core.secret_files import write_secret

from fleetlog_deploy.certificates.authority import Authority, NotOurs, Pair, current_certificates, end_of, names_of

RENEW_DAYS = 30
"""Days before its end from which on a certificate is made anew."""
PUBLIC, PRIVATE, FOLDER = 0o644, 0o600, 0o755


def put(
    directory: Path, asked: Mapping[str, Sequence[str]], now: datetime, days: int, *,
    renew: bool = False, new_ca: bool = False, shared: bool = False,
) -> Iterator[str]:  # fmt: skip
    """Make what is missing; yields a line for each file that was made. NotOurs, OSError, ValueError."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    ca_file, key_file = directory / "ca.crt", directory / "ca.key"
    trusted = current_certificates(ca_file.read_bytes(), now) if ca_file.exists() else []
    if not ca_file.exists() or new_ca:
        authority = Authority.made(now)
        trusted = [authority.pair.certificate, *trusted]
        write_secret(key_file, authority.pair.key, PRIVATE)
        yield f"{key_file}: the key of a new CA"
    elif not key_file.exists():
        raise NotOurs(f"{key_file} is not there: {ca_file} is of a CA that issues its certificates elsewhere")
    else:
        authority = Authority(Pair(trusted[0], key_file.read_bytes())) if trusted else _ended(ca_file)
    bundle = b"".join(trusted)
    if _differs(ca_file, bundle):
        write_secret(ca_file, bundle, PUBLIC)
        yield f"{ca_file}: what to trust"
    for name, names in asked.items():
        folder = directory / name
        folder.mkdir(exist_ok=True, mode=0o700)
        if shared:
            folder.chmod(FOLDER)
        # First what is trusted: who reads both has the newer CA before the newer certificate.
        if _differs(folder / "ca.crt", bundle):
            write_secret(folder / "ca.crt", bundle, PUBLIC)
        if renew or _is_due(folder / "tls.crt", names, now):
            pair = authority.issued(names, now, days)
            mode = PUBLIC if shared else PRIVATE
            write_secret(folder / "tls.key", pair.key, mode)
            write_secret(folder / "tls-combined.pem", pair.key + pair.certificate, mode)
            write_secret(folder / "tls.crt", pair.certificate, PUBLIC)
            yield f"{folder / 'tls.crt'}: for {', '.join(names)}, until {end_of(pair.certificate):%Y-%m-%d}"


def _is_due(path: Path, names: Sequence[str], now: datetime) -> bool:
    """True if a certificate is missing, of other names, or ends soon."""
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return True
    return sorted(names_of(found)) != sorted(names) or end_of(found) < now + timedelta(days=RENEW_DAYS)


def _ended(path: Path) -> Authority:
    raise NotOurs(f"{path}: the CA has ended; make another with --new-ca, and certificates of it with --renew")


def _differs(path: Path, data: bytes) -> bool:
    return not path.exists() or path.read_bytes() != data
