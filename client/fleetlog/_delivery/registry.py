"""The process's deliveries, one to each server: found, flushed, ended with the process, left behind at a fork."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from fleetlog_core.errors import DeadlineExceeded, FailedPrecondition
from fleetlog_proto.v1 import query_pb2

from fleetlog._delivery.delivery import Delivery
from fleetlog._journal.folders import waiting
from fleetlog._journal.journal import Journal
from fleetlog._journal.left import is_something_left
from fleetlog._journal.places import is_offline, journal_bytes, journal_root
from fleetlog._transport.calls_in_progress import PAUSE_SECONDS
from fleetlog._transport.connection import Connection, close_unused, connection_to
from fleetlog._transport.targets import resolve_target
from fleetlog._values import arguments

Level = Literal["local", "durable", "applied"]
"""How far what was logged has come: onto this machine's disk, into the server's log, or to where reads see it."""
_LEVELS: tuple[Level, ...] = ("local", "durable", "applied")
diagnostics = logging.getLogger("fleetlog")
_deliveries: dict[str, Delivery] = {}
_left: list[Delivery] = []
"""The parent's, in a forked child: kept so that nothing of them is torn down there."""
_lock = threading.Lock()
_told = False


def delivery_to(target: str | None) -> Delivery:
    """The process's delivery to a server. InvalidArgument, FailedPrecondition: the environment says what can't be."""
    address = resolve_target(target)
    with _lock:
        delivery = _deliveries.get(address)
        if delivery is None:
            delivery = _deliveries[address] = _new_delivery(address)
        return delivery


def _new_delivery(address: str) -> Delivery:
    root, max_bytes, offline = journal_root(), journal_bytes(), is_offline()
    if root is None:
        if offline:
            raise FailedPrecondition(
                "JOURNAL_OFF",
                "FLEETLOG_MODE=offline keeps runs in a journal, which is off: let FLEETLOG_JOURNAL name a folder",
            )
        return Delivery(connection_to(address))

    def journal(warn: Callable[[str, str], None]) -> Journal:
        return Journal(root, address, warn, max_bytes, tell_once=_tell_once)

    return Delivery(connection_to(address), journal=journal, offline=offline)


def _tell_once(root: Path, warn: Callable[[str, str], None]) -> None:
    """Say that journals of dead processes wait, once in this process and its forked children."""
    global _told
    if _told:
        return
    _told = True
    # Processes that are killed leave their journals also when all in them is delivered.
    if count := sum(map(_is_something_left, waiting(root))):
        journals = "a journal waits" if count == 1 else f"{count:,} journals wait"
        warn("waiting", f"{journals} in {root}, of processes that ended before all was delivered: run `fleetlog sync`")


def _is_something_left(path: Path) -> bool:
    try:
        return is_something_left(path)
    except OSError:
        return False


def flush(timeout: float = 30.0, level: Level = "durable", *, target: str | None = None) -> None:
    """Wait until everything this process logged to a server is durable, or can be read.

    Args:
        timeout: Seconds to wait at the most.
        level: "local": it is on this machine's disk, from which `fleetlog sync` delivers it whatever becomes of the
            process; "durable": it is in the server's log; "applied": searches by others find it too.
        target: Address of the server, host:port; None = $FLEETLOG_TARGET, or else localhost:7460.

    Raises:
        DeadlineExceeded: It is not by then; it is still being sent, nothing is lost by that.
        FailedPrecondition: It can't be: "local" without a journal, anything else offline (FLEETLOG_MODE).

    Examples:
        >>> fleetlog.flush(timeout=10, level="applied")

    """
    flush_delivery(delivery_to(target), timeout, level)


def release(target: str) -> None:
    """Close the connection to a server, unless runs of this process or calls that are under way use it."""
    with _lock:
        if target not in _deliveries:
            close_unused(target)


def flush_delivery(delivery: Delivery, timeout: float, level: Level) -> None:
    """As `flush`."""
    arguments.choice("level", level, dict.fromkeys(_LEVELS))
    timeout_seconds = arguments.seconds("timeout", timeout)
    if level == "local":
        delivery.flush_local()
        return
    if delivery.offline:
        raise FailedPrecondition(
            "OFFLINE", f"FLEETLOG_MODE=offline tries no server: nothing can be {level}; give level='local'"
        )
    begun = time.monotonic()
    if not delivery.flush(timeout_seconds):
        what = delivery.pending() or "the last events"
        raise DeadlineExceeded(
            "NOT_DURABLE",
            f"after {timeout_seconds:.0f} s {what} are not durable at {delivery.connection.target}; "
            "they are still being sent: wait longer, or look whether the server is up",
        )
    if level == "applied":
        remaining = max(0.1, timeout_seconds - (time.monotonic() - begun))
        wait_applied(delivery.connection, remaining)


def wait_applied(connection: Connection, timeout_seconds: float) -> None:
    """Wait until what this process wrote can be read."""
    request = query_pb2.WaitForPositionRequest(position=connection.position())
    connection.call(connection.query.WaitForPosition, request, timeout_seconds)


def held_here() -> bool:
    """True if the calling thread is amid a change of a delivery, which ends none by waiting for it."""
    return any(delivery.held_here for delivery in list(_deliveries.values()))


def end_deliveries(timeout_seconds: float, quiet_seconds: float = 0.0) -> list[str]:
    """Deliver what is pending, in bounded time, and end. What was left of it, in words, for each server.

    Says what it waits for when that takes longer than `quiet_seconds`.
    """
    deadline = time.monotonic() + timeout_seconds
    pending = []
    # Children of multiprocessing have two ways out, and may take both.
    deliveries = [(address, delivery) for address, delivery in list(_deliveries.items()) if not delivery.closed]
    for address, delivery in deliveries:
        done = delivery.flush(max(0.0, min(quiet_seconds, deadline - time.monotonic())))
        if not done and not delivery.offline and (seconds := deadline - time.monotonic()) > 0:
            diagnostics.warning(
                "waiting up to %.0f s for %s to deliver %s; Ctrl-C leaves them",
                seconds, address, delivery.pending() or "the last events",
            )  # fmt: skip
            done = delivery.flush(max(0.0, deadline - time.monotonic()))
        if not done or delivery.has_pending:
            pending.append((address, delivery))
    for _, delivery in deliveries:
        delivery.close()
    return [f"{one.pending() or 'the last events'} for {address} {_fate(one)}" for address, one in pending]


def _fate(delivery: Delivery) -> str:
    """What becomes of what a delivery that ended did not deliver."""
    if delivery.journal is None or not delivery.is_kept:
        return "were not delivered and are lost (is a server up there?)"
    lost = len(delivery.uploads.not_kept)
    files = f"; {lost:,} {'file is' if lost == 1 else 'files are'} lost" if lost else ""
    return f"are kept in {delivery.journal.path}: `fleetlog sync` delivers them{files}"


def _pause() -> None:
    """Before a fork: gRPC prepares itself only when none of its calls is under way; else the child's would hang."""
    deadline = time.monotonic() + PAUSE_SECONDS
    for delivery in list(_deliveries.values()):
        delivery.pause(max(0.0, deadline - time.monotonic()))


def _resume() -> None:
    for delivery in list(_deliveries.values()):
        delivery.resume()


def _forget() -> None:
    """In a forked child: threads, locks and channels are the parent's."""
    global _lock
    _lock = threading.Lock()
    for delivery in _deliveries.values():
        if delivery.journal is not None:
            delivery.journal.forked()
    _left.extend(_deliveries.values())
    _deliveries.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_pause, after_in_parent=_resume, after_in_child=_forget)
