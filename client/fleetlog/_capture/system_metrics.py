"""Metrics of the machine, from looks at its counters. Pure. Names are MLflow's where it has one."""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog._capture.gpus import GpuSample
from fleetlog._capture.system_counters import Counters

PREFIX = "system/"
_MB = 1e6


def system_metrics(
    start: Counters, before: Counters, now: Counters, gpus: Sequence[GpuSample] = ()
) -> dict[str, float]:
    """Returns values by key; what the system does not tell is left out.

    Utilization is of the time since the look before; what was read, written, sent and received is since the start.
    """
    seconds = now.at_seconds - before.at_seconds
    if seconds <= 0:
        return {}
    found: dict[str, float] = {}

    def put(name: str, value: float | None) -> None:
        if value is not None:
            found[PREFIX + name] = value

    busy = _difference(before.cpu_busy_seconds, now.cpu_busy_seconds)
    total = _difference(before.cpu_seconds, now.cpu_seconds)
    put("cpu_utilization_percentage", _percent(busy, total))
    if now.memory_bytes and now.available_bytes is not None:
        used = now.memory_bytes - now.available_bytes
        put("system_memory_usage_megabytes", used / _MB)
        put("system_memory_usage_percentage", _percent(used, now.memory_bytes))
    if now.disk_bytes and now.disk_free_bytes is not None:
        put("disk_usage_megabytes", (now.disk_bytes - now.disk_free_bytes) / _MB)
        put("disk_usage_percentage", _percent(now.disk_bytes - now.disk_free_bytes, now.disk_bytes))
        put("disk_available_megabytes", now.disk_free_bytes / _MB)
    for name, first, last in (
        ("network_receive_megabytes", start.received_bytes, now.received_bytes),
        ("network_transmit_megabytes", start.sent_bytes, now.sent_bytes),
        ("disk_read_megabytes", start.read_bytes, now.read_bytes),
        ("disk_write_megabytes", start.written_bytes, now.written_bytes),
    ):
        moved = _difference(first, last)
        put(name, None if moved is None else moved / _MB)
    put("process_cpu_utilization_percentage", _percent(now.process_cpu_seconds - before.process_cpu_seconds, seconds))
    if now.process_bytes is not None:
        put("process_memory_megabytes", now.process_bytes / _MB)
    put("process_threads", now.threads)
    for gpu in gpus:
        for name, value in gpu.values.items():
            put(f"gpu_{gpu.number}_{name}", value)
    return found


def _difference(before: float | None, now: float | None) -> float | None:
    """None also when a counter went back: an interface or a disk is gone."""
    return None if before is None or now is None or now < before else now - before


def _percent(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole or whole <= 0 else 100.0 * part / whole
