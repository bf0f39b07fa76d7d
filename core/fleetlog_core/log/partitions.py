"""Which partition a key belongs to."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from fleetlog_core.log.port import CONTROL, TOPICS


def partition_counts(given: Mapping[str, int] | None) -> dict[str, int]:
    """Partitions of each topic: one where nothing is given. CONTROL has exactly one."""
    counts = dict.fromkeys(TOPICS, 1) | dict(given or {})
    if counts[CONTROL] != 1:
        raise ValueError("the control topic has one partition: its order decides what is unique")
    if set(counts) != set(TOPICS) or min(counts.values()) < 1:
        raise ValueError(f"partitions of {', '.join(TOPICS)}, each at least 1; not {counts}")
    return counts


def partition_of(key: bytes, count: int) -> int:
    """The partition of a key: crc32 modulo the number of partitions."""
    return zlib.crc32(key) % count
