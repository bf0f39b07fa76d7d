"""Durability of an embedded warehouse: what outlives a power loss."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import uuid
from pathlib import Path


class Disk:
    """The file system with the warehouse. Inserts are in the kernel's memory first; `sync` puts them on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.boot = boot_id()

    def sync(self) -> None:
        """Return when everything that was written before is on disk: one call, however many files. OSError."""
        if sys.platform != "linux":
            os.sync()
            return
        file = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if ctypes.CDLL(None, use_errno=True).syncfs(file) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), str(self.path))
        finally:
            os.close(file)


def boot_id() -> str:
    """Another text after each start of the machine; where the machine does not tell, after each call."""
    try:
        if sys.platform == "linux":
            told = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        else:
            asked = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
            told = subprocess.run(asked, capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        told = ""
    return told.strip() or uuid.uuid4().hex
