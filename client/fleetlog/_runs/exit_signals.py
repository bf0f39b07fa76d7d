"""Signals that end a process: SIGTERM, SIGHUP and SIGQUIT, heard where nobody else does.

Handlers are set in the main thread alone, so they are set on import; a run may be opened in any thread later. A handler
of the program's own, and a signal that is ignored (nohup), are left alone.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from fleetlog import _delivery, _journal

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)
)  # Windows has the first alone.
_WAITS = ("wait", "wait_for", "join")
_LOCKING = tuple(
    str(Path(package.__file__).parent) + os.sep for package in (_delivery, _journal) if package.__file__ is not None
)
"""Where the code is that takes locks."""
_heard = threading.Event()
_mask = threading.local()
_pipe: list[int] = []
"""Where the numbers of signals can be read, and the end that they are written to; empty when there is none."""
_listening: list[threading.Thread] = []
_ends: Callable[[int, FrameType | None], None] | None = None


def on_signal(ends: Callable[[int, FrameType | None], None]) -> None:
    """Call it when a signal ends the process. It delivers, then calls `die`."""
    global _ends
    _ends = ends
    _take_over()


def _take_over() -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    for number in SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _handler)
    if not _pipe and _ours():
        _open_pipe()


def _ours() -> list[int]:
    return [number for number in SIGNALS if signal.getsignal(number) is _handler]


def _handler(number: int, frame: FrameType | None) -> None:
    if _listening and _is_amid_delivery(frame):
        # What is delivered now would wait for a lock that this thread has. It is heard when it comes again.
        return
    _heard.set()
    if _ends is not None:
        _ends(number, frame)


def _is_amid_delivery(frame: FrameType | None) -> bool:
    """True if the main thread is where it may hold a lock that other threads need for a delivery."""
    while frame is not None:
        code = frame.f_code
        if code.co_name in _WAITS and code.co_filename == threading.__file__:
            # Who waits has let go of it.
            return False
        if code.co_filename.startswith(_LOCKING):
            return True
        frame = frame.f_back
    return False


def die(number: int) -> None:
    """Die of the signal as if nobody had listened."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _open_pipe() -> None:
    if not hasattr(signal, "pthread_kill"):
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
    _pipe[:] = [reading, writing]


def listen() -> None:
    """See to it that the signals are heard: a run is open.

    Python hears a signal between two steps of the main thread. The system may give it to any other thread, one of
    gRPC's for instance, and then a main thread that sleeps sleeps on; one that comes just before the main thread begins
    to wait for a semaphore is not heard until that wait ends, and Pool.terminate() holds such a semaphore, and joins.
    So a thread learns of the signal by itself, and sends it to the main thread until it is heard.
    """
    _take_over()
    if _pipe and not _listening:
        thread = threading.Thread(target=_send_again, args=(_pipe[0],), name="fleetlog-signals", daemon=True)
        _listening.append(thread)
        thread.start()


def _send_again(reading: int) -> None:
    main = threading.main_thread().ident
    while numbers := os.read(reading, 64):
        number = next((number for number in numbers if number in SIGNALS), None)
        if number is None or main is None:
            continue
        while not _heard.wait(0.1) and signal.getsignal(number) is _handler:
            signal.pthread_kill(main, number)


def _fork() -> None:
    """Before a fork. Python forgets in a new child what it heard until then: a signal waits until that is over."""
    _mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def _fork_over() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _mask.before)


def _forked() -> None:
    """In a child: what was heard, and who is told, was its parent's. It has nothing to deliver until it writes."""
    global _heard
    for number in _ours():
        signal.signal(number, signal.SIG_DFL)
    _heard = threading.Event()
    _listening.clear()
    if _pipe:
        signal.set_wakeup_fd(-1)
        for end in _pipe:
            os.close(end)
        _pipe.clear()
    _fork_over()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_fork, after_in_parent=_fork_over, after_in_child=_forked)
