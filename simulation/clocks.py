"""What stands in for the modules `time`, `os` and `secrets` in the code of the product."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from simulation.kernel import BOOT_SECONDS, EPOCH_SECONDS, kernel


def wall() -> float:
    """Unix seconds by the clock of the process that runs."""
    one = kernel()
    process = one.process
    return EPOCH_SECONDS + one.now + (0.0 if process is None else process.wall_offset)


def wall_ns() -> int:
    """As `wall`, in nanoseconds."""
    return int(wall() * 1e9)


def monotonic() -> float:
    """Seconds that nothing sets back."""
    return BOOT_SECONDS + kernel().now


def sleep(seconds: float) -> None:
    """See time.sleep."""
    kernel().sleep(seconds)


def urandom(size: int) -> bytes:
    """See os.urandom: of the world's random source."""
    return kernel().random.randbytes(size)


def token_hex(size: int) -> str:
    """See secrets.token_hex."""
    return urandom(size).hex()


class _Moment(datetime):
    """See datetime: `now` is the world's."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime.fromtimestamp(wall(), tz or UTC)


class _System:
    """The module `os`, but for its randomness and the number of the process."""

    urandom = staticmethod(urandom)

    @staticmethod
    def getpid() -> int:
        return 1

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


TIME = SimpleNamespace(
    time=wall, time_ns=wall_ns, monotonic=monotonic, monotonic_ns=lambda: int(monotonic() * 1e9), sleep=sleep,
    perf_counter=monotonic, thread_time=monotonic,
)  # fmt: skip
SYSTEM = _System()
SECRETS = SimpleNamespace(token_hex=token_hex)
MOMENT = _Moment
