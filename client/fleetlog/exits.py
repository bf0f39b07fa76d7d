"""How runs end when nobody ends them: the process's exit, SIGTERM, and the exit of a forked child.

In the process that opened a run, the run ends with it: FINISHED, FAILED after an exception that nobody caught,
KILLED by SIGTERM or Ctrl-C. A forked child delivers what it logged, and leaves the run to its parent. Both take at most
EXIT_SECONDS and say what was not delivered.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import threading
import weakref
from multiprocessing import util
from types import FrameType
from typing import Protocol

from fleetlog.deliveries import end_deliveries

diagnostics = logging.getLogger("fleetlog")

EXIT_SECONDS = 10.0


class Ending(Protocol):
    """A run that may still be open."""

    def end_with_process(self, state: str) -> None:
        """Put the end into the outbox, when this process is the one that opened the run."""
        ...


_open: weakref.WeakSet[Ending] = weakref.WeakSet()
_delivering = _dying = False
_heard = threading.Event()
"""As _dying, for the thread that waits for it."""
_mask = threading.local()
_left_open: list[int] = []
"""The descriptor that signals are written to, when there is one."""


def watch(run: Ending) -> None:
    """End the run with the process, unless `unwatch` comes before."""
    _open.add(run)
    _listen()


def unwatch(run: Ending) -> None:
    """The run has ended."""
    _open.discard(run)


def child_writes() -> None:
    """A forked child became a writer. Children of multiprocessing skip atexit, so their own way out is used."""
    util.Finalize(None, _deliver, exitpriority=1)
    _listen()


def _listen() -> None:
    """Hear SIGTERM, when nobody else does."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminated)
    if signal.getsignal(signal.SIGTERM) is _terminated:
        _insist()


def _insist() -> None:
    """See to it that SIGTERM is heard.

    Python hears a signal between two steps of the main thread. The system may give it to any other thread, one of
    gRPC's for instance, and then a main thread that sleeps sleeps on; one that comes just before the main thread begins
    to wait for a semaphore is not heard until that wait ends, and Pool.terminate() holds such a semaphore, and joins.
    So a thread learns of the signal by itself, and sends it to the main thread until it is heard.
    """
    if _left_open:
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    if before != -1:
        # Another's, such as an event loop's, which does not wait for semaphores.
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)
        return
    _left_open.append(writing)
    threading.Thread(target=_send_again, args=(reading,), name="fleetlog-signals", daemon=True).start()


def _send_again(reading: int) -> None:
    main = threading.main_thread().ident
    while numbers := os.read(reading, 64):
        if signal.SIGTERM not in numbers or main is None:
            continue
        while not _heard.wait(0.1) and signal.getsignal(signal.SIGTERM) is _terminated:
            signal.pthread_kill(main, signal.SIGTERM)


def _fork() -> None:
    """Before a fork. Python forgets in a new child what it heard until then: a SIGTERM waits until that is over."""
    _mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _fork_over() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _mask.before)


def _forked() -> None:
    """In a child: what was heard, and who is told, was its parent's. It has nothing to deliver until it writes."""
    global _heard, _dying, _delivering
    _dying = _delivering = False
    if signal.getsignal(signal.SIGTERM) is _terminated:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _heard = threading.Event()
    if _left_open:
        signal.set_wakeup_fd(-1)
        os.close(_left_open.pop())
    _fork_over()


def _state() -> str:
    # Where code is typed in, an exception that was shown ended nothing.
    interactive = hasattr(sys, "ps1") or sys.flags.interactive
    error = None if interactive else getattr(sys, "last_value", None)
    if error is None:
        return "FINISHED"
    return "FAILED" if isinstance(error, Exception) else "KILLED"


def _deliver() -> None:
    global _delivering
    _delivering = True
    for left in end_deliveries(EXIT_SECONDS):
        diagnostics.warning("the process ends, and after %.0f s %s were not delivered and are lost", EXIT_SECONDS, left)
    _delivering = False
    if _dying:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


@atexit.register
def _exited() -> None:
    for run in list(_open):
        run.end_with_process(_state())
    _deliver()


def _terminated(number: int, frame: FrameType | None) -> None:
    """SIGTERM: deliver, then die of it as if nobody had listened."""
    global _dying
    if _dying:
        return
    _dying = True
    _heard.set()
    if _delivering:
        # It came amid just that, in this thread: locks that are held there would never be free here.
        return
    for run in list(_open):
        run.end_with_process("KILLED")
    _deliver()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_fork, after_in_parent=_fork_over, after_in_child=_forked)
