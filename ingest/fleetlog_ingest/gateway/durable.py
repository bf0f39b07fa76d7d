"""Waiting for the log."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

from fleetlog_core.log.port import Record


def durable(appended: Future[Record]) -> asyncio.Future[Record]:
    """The log's future on this loop.

    A caller who goes away doesn't cancel it: the log would find it cancelled when it resolves it for all of a commit.
    And when nobody looks at it any longer, its failure is no diagnostic: the stream ended with the first one.
    """
    shielded = asyncio.shield(asyncio.wrap_future(appended))
    shielded.add_done_callback(_look)
    return shielded


def _look(done: asyncio.Future[Record]) -> None:
    if not done.cancelled():
        done.exception()
