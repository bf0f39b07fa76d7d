"""How runs end when nobody ends them: the process's exit, a signal, and the exit of a forked child.

In the process that opened a run, the run ends with it, whether or not anybody still holds the Run: FINISHED, FAILED
after an exception that nobody caught or another exit code than 0, KILLED by SIGTERM, SIGHUP, SIGQUIT or Ctrl-C. A
forked child delivers what it logged, ends the runs that it opened, and leaves the others to its parent. Each takes at
most EXIT_SECONDS and says what was not delivered.
"""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
import sys
import threading
import time
from multiprocessing import util
from types import FrameType
from typing import NoReturn, Protocol

from fleetlog._capture import recorder
from fleetlog._delivery.registry import end_deliveries, held_here
from fleetlog._runs import exit_codes, exit_signals
from fleetlog._runs.open_run import EndState

diagnostics = logging.getLogger("fleetlog")

EXIT_SECONDS = 10.0
"""Longest wait of a process that ends, for what is not delivered; less what `finish` waited for in vain before."""
SHORTEST_SECONDS = 1.0
QUIET_SECONDS = 1.0
"""A wait that is longer says what it waits for."""


class Ending(Protocol):
    """A run that may still be open. It is held until it ends, so it is small."""

    opened_in: threading.Thread

    def end_with_process(self, state: str) -> None:
        """Put the end into the outbox, when this process is the one that opened the run."""
        ...


_open: dict[Ending, str] = {}
"""Runs, and the state that each ends with; "" = that of the process."""
_delivering = False
_dying = 0
"""The signal that the process dies of, when there is one."""
_waited_seconds = 0.0
_forked_child = _ways_out = _exit_is_ours = False
_LIBRARY = os.path.dirname(threading.__file__)  # noqa: PTH120
_FORKING = ("multiprocessing/popen_fork.py", "multiprocessing/forkserver.py")


def watch(run: Ending) -> None:
    """End the run with the process, unless `unwatch` comes before."""
    _open[run] = ""
    exit_codes.observe()
    deliver_at_exit()


def deliver_at_exit() -> None:
    """Deliver what is pending before the process ends, whether or not it has an open run."""
    exit_signals.listen()
    if _forked_child or multiprocessing.parent_process() is not None:
        child_writes()


def unwatch(run: Ending) -> None:
    """The run has ended."""
    _open.pop(run, None)


def waited_in_vain(seconds: float) -> None:
    """The end of a run was waited for, and the server did not answer: the process's end waits that much less."""
    global _waited_seconds
    _waited_seconds += seconds


def child_writes() -> None:
    """A child became a writer: those of multiprocessing skip atexit, and those of os.fork often do by os._exit."""
    global _ways_out, _exit_is_ours
    if _ways_out:
        return
    _ways_out = True
    util.Finalize(None, _exited, exitpriority=1)
    exit_signals.listen()
    if _forked_child or multiprocessing.parent_process() is not None:
        leave, _exit_is_ours = os._exit, True

        def deliver_first(status: int) -> NoReturn:
            _deliver(exit_codes.state_of_code(status))
            leave(status)

        os._exit = deliver_first


def _forked() -> None:
    """In a child: the runs that are open are its parent's. It has nothing to deliver until it writes."""
    global _dying, _delivering, _forked_child, _ways_out, _waited_seconds
    _dying, _delivering, _waited_seconds = 0, False, 0.0
    _forked_child, _ways_out = True, False
    _open.clear()
    exit_codes.forked()


def _end_runs(state: str) -> None:
    while _open:
        run, own_state = _open.popitem()
        run.end_with_process(own_state or state)


def _deliver(state: str) -> None:
    """End what is open in the state, and deliver what is pending."""
    global _delivering
    _delivering = True
    _end_runs(state)
    recorder.give_up()
    begun = time.monotonic()
    seconds = max(SHORTEST_SECONDS, EXIT_SECONDS - _waited_seconds)
    try:
        left = end_deliveries(seconds, QUIET_SECONDS)
    except KeyboardInterrupt:
        # Once more, by someone who does not want to wait.
        left = end_deliveries(0.0)
    for what in left:
        waited = time.monotonic() - begun
        diagnostics.warning("the process ends, and after %.0f s %s", waited, what)
    _delivering = False
    if _dying:
        exit_signals.die(_dying)


@atexit.register
def _exited() -> None:
    if sys.exc_info()[1] is None and _exit_is_ours and _os_exit_follows():
        return
    _deliver(exit_codes.state_of_exit())


def _os_exit_follows() -> bool:
    """True if the exit code is still to come: forked children of multiprocessing, which leave by os._exit.

    Up to Python 3.12 they come here amid the exception that ends them; from 3.13 on it has been dealt with.
    """
    frame: FrameType | None = sys._getframe()
    while frame is not None and not frame.f_code.co_filename.endswith(_FORKING):
        frame = frame.f_back
    return frame is not None


def _terminated(number: int, frame: FrameType | None) -> None:
    """A signal: deliver, then die of it as if nobody had listened."""
    global _dying
    if _dying:
        return
    _dying = number
    if _delivering:
        # It came amid just that, in this thread: locks that are held there would never be free here.
        return
    _deliver(_state_at(frame))


def _is_too_soon() -> bool:
    """True if a signal came amid a `log`, which has to go on before anything can be delivered."""
    return not _delivering and held_here()


def _state_at(frame: FrameType | None) -> EndState:
    """State of the runs of a process that a signal meets there. A pool ends workers that it does not need by SIGTERM.

    Such a worker waits for work, or has left its main function already: nobody's code is cut short by that.
    """
    while frame is not None and _is_librarys(file := frame.f_code.co_filename):
        if frame.f_code.co_name == "worker" and file.endswith("pool.py"):
            return "FINISHED"
        if frame.f_code.co_name == "_bootstrap":
            return exit_codes.state_of_exit()
        if file.endswith(_FORKING):
            return exit_codes.state_of_code(frame.f_locals.get("code"))
        frame = frame.f_back
    return "KILLED"


def _is_librarys(file: str) -> bool:
    """True if a source file is of Python's own library, or this one."""
    return (file.startswith(_LIBRARY) and "-packages" not in file) or file == __file__


def _thread_failed(args: threading.ExceptHookArgs) -> None:
    """Runs that a thread opened and left open when an exception ended it have failed, whatever the process does."""
    for run in list(_open):
        if run.opened_in is args.thread and not isinstance(args.exc_value, SystemExit):
            _open[run] = "FAILED"
    _hook_before(args)


_hook_before = threading.excepthook
threading.excepthook = _thread_failed
exit_signals.on_signal(_terminated, _is_too_soon)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
