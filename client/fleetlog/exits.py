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


def watch(run: Ending) -> None:
    """End the run with the process, unless `unwatch` comes before."""
    _open.add(run)
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminated)


def unwatch(run: Ending) -> None:
    """The run has ended."""
    _open.discard(run)


def child_writes() -> None:
    """A forked child became a writer. Children of multiprocessing skip atexit, so their own way out is used."""
    util.Finalize(None, _deliver, exitpriority=1)


def _state() -> str:
    # Where code is typed in, an exception that was shown ended nothing.
    interactive = hasattr(sys, "ps1") or sys.flags.interactive
    error = None if interactive else getattr(sys, "last_value", None)
    if error is None:
        return "FINISHED"
    return "FAILED" if isinstance(error, Exception) else "KILLED"


def _deliver() -> None:
    for left in end_deliveries(EXIT_SECONDS):
        diagnostics.warning("the process ends, and after %.0f s %s were not delivered and are lost", EXIT_SECONDS, left)


@atexit.register
def _exited() -> None:
    for run in list(_open):
        run.end_with_process(_state())
    _deliver()


def _terminated(number: int, frame: FrameType | None) -> None:
    """SIGTERM: deliver, then die of it as if nobody had listened."""
    for run in list(_open):
        run.end_with_process("KILLED")
    _deliver()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
