"""The exit code of the process, known before it ends: what the interpreter asks of a SystemExit that nobody caught.

Python tells nobody of that exception: it is no `sys.last_value`, passes no `sys.excepthook`, and is freed before atexit
handlers run. It asks the exception for its `code` though, from no Python frame. So `SystemExit.code` is replaced by a
property that does the same and remembers that. Up to Python 3.11 `sys.exit(3)` alone makes no exception object, only
its type and code; there `sys.exit` is replaced by a function that raises one.
"""

from __future__ import annotations

import gc
import sys
import threading
from types import ModuleType
from typing import Any, NoReturn

from fleetlog._runs.open_run import EndState

_KILLED = {128 + number for number in (1, 2, 3, 15)}
"""What shells and handlers say of a process that SIGHUP, SIGINT, SIGQUIT or SIGTERM ended."""
_seen: list[object] = []
"""The code that the interpreter asked for; empty when it did not."""
_observed = threading.Lock()


def observe() -> None:
    """Learn of the exit code from now on. Once a process; where Python has no ctypes, nothing is learnt."""
    if not _observed.acquire(blocking=False):
        return
    try:
        import ctypes
    except ImportError:
        return
    member: Any = SystemExit.__dict__["code"]

    def code(error: SystemExit) -> object:
        found = member.__get__(error)
        if sys._getframe().f_back is None and threading.current_thread() is threading.main_thread():
            _seen[:] = [found]
        return found

    attributes = gc.get_referents(SystemExit.__dict__)[0]
    attributes["code"] = property(code, member.__set__, member.__delete__, "exception code")
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(SystemExit))
    if sys.version_info < (3, 12):
        _replace_exit(sys)


def _replace_exit(module: ModuleType) -> None:
    exit_before: Any = module.__dict__["exit"]
    if exit_before.__module__ != "sys":
        # Another's: it raises an exception of its own, or calls the one before.
        return

    def exit(status: object = None, /) -> NoReturn:  # noqa: A001
        raise SystemExit(*status if isinstance(status, tuple) else () if status is None else (status,))

    exit.__doc__ = exit_before.__doc__
    module.__dict__["exit"] = exit


def state_of_exit() -> EndState:
    """FINISHED, FAILED or KILLED, by how the process, or its main function in a worker, ends."""
    # Where code is typed in, an exception that was shown ended nothing.
    interactive = hasattr(sys, "ps1") or sys.flags.interactive
    error = None if interactive else getattr(sys, "last_value", None)
    # Children of multiprocessing ask amid the exception that ends them.
    error = error or sys.exc_info()[1]
    if isinstance(error, SystemExit):
        return state_of_code(error.code)
    if error is not None:
        return "FAILED" if isinstance(error, Exception) else "KILLED"
    return state_of_code(_seen[0] if _seen else None)


def state_of_code(code: object) -> EndState:
    """The state by an exit code, or a text in place of one."""
    if code is None or code == 0:
        return "FINISHED"
    return "KILLED" if isinstance(code, int) and code in _KILLED else "FAILED"


def forked() -> None:
    """In a forked child: it has not ended yet, whatever its parent was at."""
    _seen.clear()
