"""What the machine and this process used until now, as it stands in /proc, or by psutil where there is no /proc."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TypeVar

_PROC = Path("/proc")
_SECTOR_BYTES = 512
"""Bytes of a sector in /proc/diskstats, whatever the disk has."""
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals since some start, but for what is used at the moment. None: the system does not tell."""

    at_seconds: float
    """By a clock that nobody sets."""
    process_cpu_seconds: float
    process_bytes: int | None = None
    """Resident memory."""
    threads: int | None = None
    cpu_busy_seconds: float | None = None
    """Seconds that all cores together worked."""
    cpu_seconds: float | None = None
    """Seconds of all cores, with the idle ones."""
    memory_bytes: int | None = None
    available_bytes: int | None = None
    received_bytes: int | None = None
    """By all network interfaces but the loopback."""
    sent_bytes: int | None = None
    read_bytes: int | None = None
    """By all disks."""
    written_bytes: int | None = None
    disk_bytes: int | None = None
    """Bytes of the file system of the current directory."""
    disk_free_bytes: int | None = None


def read_counters() -> Counters:
    """Returns the counters now."""
    usage = os.times()
    now, used = time.monotonic(), usage.user + usage.system
    sizes = _disk_sizes()
    if (_PROC / "stat").exists():
        return _of_proc(now, used, *sizes)
    try:
        import psutil
    except ImportError:
        return Counters(now, used, disk_bytes=sizes[0], disk_free_bytes=sizes[1])
    return of_psutil(psutil, now, used, *sizes)


def _disk_sizes() -> tuple[int | None, int | None]:
    """Bytes of the current folder's file system, and those that are free; None when the folder is gone."""
    try:
        usage = shutil.disk_usage(".")
    except OSError:
        return None, None
    return usage.total, usage.free


def _of_proc(now: float, used: float, disk_bytes: int | None, disk_free_bytes: int | None) -> Counters:
    busy, total = _told(_cpu) or (None, None)
    memory, status = (
        _told(lambda: _fields(_PROC / "meminfo")) or {},
        _told(lambda: _fields(_PROC / "self/status")) or {},
    )
    received, sent = _told(lambda: _network((_PROC / "net/dev").read_text())) or (None, None)
    read, written = _told(lambda: _disks((_PROC / "diskstats").read_text())) or (None, None)
    return Counters(
        now,
        used,
        process_bytes=_kibibytes(status.get("VmRSS")),
        threads=status.get("Threads"),
        cpu_busy_seconds=busy,
        cpu_seconds=total,
        memory_bytes=_kibibytes(memory.get("MemTotal")),
        available_bytes=_kibibytes(memory.get("MemAvailable")),
        received_bytes=received,
        sent_bytes=sent,
        read_bytes=read,
        written_bytes=written,
        disk_bytes=disk_bytes,
        disk_free_bytes=disk_free_bytes,
    )


def _told(read: Callable[[], Found]) -> Found | None:
    """What a file of the kernel says; None where it is not there, or is none that is known: containers hide some."""
    try:
        return read()
    except (OSError, ValueError, IndexError):
        return None


def _kibibytes(count: int | None) -> int | None:
    return None if count is None else 1024 * count


def _cpu() -> tuple[float, float]:
    """Seconds that all cores worked, and those with the idle ones."""
    ticks = [int(one) for one in (_PROC / "stat").read_text().partition("\n")[0].split()[1:9]]
    per_second = os.sysconf("SC_CLK_TCK")
    return (sum(ticks) - ticks[3] - ticks[4]) / per_second, sum(ticks) / per_second


def _fields(path: Path) -> dict[str, int]:
    """Numbers by name, of lines such as "MemTotal:  1024 kB"."""
    found = {}
    for line in path.read_text().splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdecimal():
            found[name] = int(words[0])
    return found


def _network(text: str) -> tuple[int, int]:
    received = sent = 0
    for line in text.splitlines()[2:]:
        name, _, rest = line.partition(":")
        if name.strip() != "lo":
            words = rest.split()
            received, sent = received + int(words[0]), sent + int(words[8])
    return received, sent


def _disks(text: str) -> tuple[int, int]:
    """Bytes read and written, of whole disks: their partitions count the same bytes once more."""
    read = written = 0
    for line in text.splitlines():
        words = line.split()
        name = words[2]
        if not name.startswith(("loop", "ram", "dm-", "md")) and Path("/sys/block", name).exists():
            read, written = read + int(words[5]), written + int(words[9])
    return _SECTOR_BYTES * read, _SECTOR_BYTES * written


def of_psutil(
    psutil: ModuleType, now: float, used: float, disk_bytes: int | None, disk_free_bytes: int | None
) -> Counters:
    """Returns the counters as psutil tells them."""
    times, memory, process = psutil.cpu_times(), psutil.virtual_memory(), psutil.Process()
    network, disks = psutil.net_io_counters(pernic=True), psutil.disk_io_counters()
    others = [counts for name, counts in network.items() if not name.startswith("lo")]
    # What guests used is in `user` already.
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    idle = times.idle + getattr(times, "iowait", 0.0)
    return Counters(
        now,
        used,
        process_bytes=process.memory_info().rss,
        threads=process.num_threads(),
        cpu_busy_seconds=total - idle,
        cpu_seconds=total,
        memory_bytes=memory.total,
        available_bytes=memory.available,
        received_bytes=sum(one.bytes_recv for one in others),
        sent_bytes=sum(one.bytes_sent for one in others),
        read_bytes=None if disks is None else disks.read_bytes,
        written_bytes=None if disks is None else disks.write_bytes,
        disk_bytes=disk_bytes,
        disk_free_bytes=disk_free_bytes,
    )
