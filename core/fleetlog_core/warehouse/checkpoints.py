"""Checkpoints: which blocks were there and on disk at a moment, so that a start can tell what was lost since.

A checkpoint is a row of the warehouse itself, so an older warehouse that is put back brings its own; that it is behind
the log is told by the log's group. A checkpoint that is lost leaves an older one, or none where there were batches.
"""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fleetlog_core.warehouse.blocks import Blocks, Range, after, dumped, grown, lost, merged, parsed
from fleetlog_core.warehouse.port import Answer, Column, Statement, Warehouse

SUPERSEDED = "superseded"
"""Table of a warehouse that was given up: its rows are folded anew into another."""
_PARTS = Statement(
    "SELECT table, min_block_number AS first, max_block_number AS last FROM system.parts"
    " WHERE database = currentDatabase() AND active AND rows > 0 AND table != 'checkpoints'"
)
_BROKEN = Statement(
    "SELECT table, ifNull(min_block_number, 0) AS first, ifNull(max_block_number, -1) AS last"
    " FROM system.detached_parts WHERE database = currentDatabase() AND startsWith(ifNull(reason, ''), 'broken')"
    " AND table != 'checkpoints'"
)
_LAST = Statement("SELECT number, boot, blocks FROM checkpoints ORDER BY number DESC LIMIT 1")
_TABLES = Statement("SELECT name FROM system.tables WHERE database = currentDatabase()")
_MIGRATED = Statement("SELECT count() AS n FROM migrations WHERE endsWith(name, '_checkpoints.sql')")


class PartsLost(Exception):
    """Tables lack blocks that a checkpoint has: rows are gone, and nothing more is to be put beside what is left."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was there and on disk. `boot` is empty where every insert is on disk when it returns."""

    number: int
    boot: str
    blocks: Blocks


def tables_of(warehouse: Warehouse) -> frozenset[str]:
    """Names of the tables that there are."""
    return frozenset(warehouse.select(_TABLES).texts("name"))


def blocks_of(warehouse: Warehouse) -> Blocks:
    """The blocks of each table that has some."""
    return _blocks(warehouse.select(_PARTS))


def _blocks(answer: Answer) -> Blocks:
    found: defaultdict[str, list[Range]] = defaultdict(list)
    ranges = zip(answer.array("first").tolist(), answer.array("last").tolist(), strict=True)
    for table, (first, last) in zip(answer.texts("table"), ranges, strict=True):
        found[table].append((int(first), int(last)))
    return {table: merged(ranges) for table, ranges in found.items()}


def last_checkpoint(warehouse: Warehouse) -> Checkpoint | None:
    """The latest one; None when there is none. ValueError when it can't be understood."""
    answer = warehouse.select(_LAST)
    if not answer.rows:
        return None
    return Checkpoint(
        int(answer.array("number")[0]), answer.texts("boot")[0], parsed(answer.texts("blocks")[0])
    )  # fmt: skip


def loss(warehouse: Warehouse, boot: str) -> str:
    """What the warehouse lost since its last checkpoint, in words; empty when nothing.

    To be asked before anything is inserted: a new block may take the number of a lost one. WarehouseUnavailable,
    TimedOut.
    """
    tables = tables_of(warehouse)
    if SUPERSEDED in tables:
        return "it was given up for one that is made anew"
    checkpoint = last_checkpoint(warehouse) if "checkpoints" in tables else None
    if checkpoint is None:
        # Of a version before checkpoints, or new, when no migration made them.
        made = "migrations" in tables and int(warehouse.select(_MIGRATED).array("n")[0])
        return "its checkpoints are gone" if made else ""
    now = blocks_of(warehouse)
    if missing := lost(checkpoint.blocks, now):
        return f"parts of {', '.join(missing)} are gone"
    # Those that came after the checkpoint; older ones were in it, or were set aside before it.
    if missing := lost(after(checkpoint.blocks, _blocks(warehouse.select(_BROKEN))), now):
        return f"parts of {', '.join(missing)} are broken"
    if restarted(checkpoint, boot) and (more := grown(checkpoint.blocks, now)):
        return f"the machine was restarted before what was last written to {', '.join(more)} was on disk"
    return ""


def restarted(checkpoint: Checkpoint | None, boot: str) -> bool:
    """Whether what was inserted after the checkpoint may have been in the memory of a machine that was restarted."""
    return checkpoint is not None and checkpoint.boot not in ("", boot)


class Checkpoints:
    """Writes checkpoints. `sync` returns when everything inserted before is on disk. Thread-safe."""

    def __init__(self, warehouse: Warehouse, boot: str, sync: Callable[[], None]) -> None:
        self._warehouse = warehouse
        self._boot = boot
        self._sync = sync
        self._writing = threading.Lock()

    def write(self) -> None:
        """Write one now, unless it would say what the last one does.

        PartsLost: then the last one stays. WarehouseUnavailable, TimedOut, OSError.
        """
        with self._writing:
            last = last_checkpoint(self._warehouse)
            # In this order: what is in it was there before the disk was waited for.
            blocks = blocks_of(self._warehouse)
            if last is not None and (missing := lost(last.blocks, blocks)):
                raise PartsLost(f"parts of {', '.join(missing)} are gone")
            if last is not None and (last.boot, last.blocks) == (self._boot, blocks):
                return
            self._sync()
            row: dict[str, Column] = {
                "place": np.zeros(1, np.uint8),
                "number": np.array([1 if last is None else last.number + 1], np.uint64),
                "boot": [self._boot],
                "blocks": [dumped(blocks)],
            }
            self._warehouse.insert("checkpoints", row, f"checkpoint:{uuid.uuid4()}")
