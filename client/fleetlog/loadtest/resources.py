"""What a load test takes of its own machine: files, CPU and memory. Only where the system tells."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from fleetlog_core.errors import FailedPrecondition
from fleetlog_core.open_files import raise_open_files

SPARE_FILES = 200
"""Files of the process beside the connections."""


def allow_connections(connections: int) -> None:
    """Have the system allow so many connections of this process. FailedPrecondition TOO_FEW_FILES: it does not."""
    wanted = connections + SPARE_FILES
    allowed = raise_open_files(wanted)
    if allowed is not None and allowed < wanted:
        raise FailedPrecondition(
            "TOO_FEW_FILES",
            f"{connections:,} connections want {wanted:,} open files, and this process may have {allowed:,}: raise it"
            " (`ulimit -n`, LimitNOFILE), give streams_per_connection in the profile, or share the load (--share)",
        )


@dataclass(frozen=True)
class Usage:
    """CPU of the process up to a moment, in seconds."""

    cpu_seconds: float

    @classmethod
    def now(cls) -> Usage:
        """That of this moment."""
        return cls(time.process_time())

    def since(self) -> tuple[float, int]:
        """Seconds of CPU since then, and the most memory that the process ever had, in bytes (0: not known)."""
        return time.process_time() - self.cpu_seconds, _most_memory()


def _most_memory() -> int:
    try:
        import resource
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
