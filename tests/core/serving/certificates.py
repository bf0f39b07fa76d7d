"""Certificates of a CA that tests make, as files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme
from fleetlog_core.serving.tls import TlsFiles


@dataclass(frozen=True)
class Authority:
    """A CA, its certificate in `ca_file`, and a folder for those that it issues."""

    folder: Path
    ca: trustme.CA

    @classmethod
    def made(cls, folder: Path) -> Authority:
        folder.mkdir(parents=True, exist_ok=True)
        ca = trustme.CA()
        (folder / "ca.pem").write_bytes(ca.cert_pem.bytes())
        return cls(folder, ca)

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def issue(self, *names: str, into: Path | None = None) -> TlsFiles:
        """A certificate for the names, put in place as those who rotate do it: renamed over the old one."""
        folder = into or self.folder
        folder.mkdir(parents=True, exist_ok=True)
        made = self.ca.issue_cert(*names)
        chain = b"".join(part.bytes() for part in made.cert_chain_pems)
        files = TlsFiles(folder / "tls.crt", folder / "tls.key")
        for path, data in ((files.key, made.private_key_pem.bytes()), (files.certificate, chain)):
            fresh = path.with_suffix(".fresh")
            fresh.write_bytes(data)
            fresh.replace(path)
        return files
