"""Files with a secret: for their owner's eyes only unless more is said, and never seen half written."""

from __future__ import annotations

import os
from pathlib import Path


def write_secret(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put a file in the place of what is there, on the disk when this returns. OSError."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.fresh")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        # By itself, since the process's umask takes from what a file is made with.
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
