"""What stands in for the modules `threading` and `queue` in the code of the product."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from queue import Empty
from typing import Any

from simulation.kernel import Fiber, Killed, Process, kernel


def _me() -> Fiber | Process | None:
    """Who runs: what a lock belongs to."""
    one = kernel()
    return one.fiber or one.process


class Lock:
    """See threading.Lock."""

    reentrant = False

    def __init__(self) -> None:
        self._owner: Fiber | Process | None = None
        self._depth = 0
        self._waiters: deque[Fiber] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """See threading.Lock."""
        me, one = _me(), kernel()
        if self.reentrant and self._owner is me and me is not None:
            self._depth += 1
            return True
        one.stall()
        deadline = None if timeout < 0 else one.now + timeout
        while self._owner is not None:
            if not blocking or (deadline is not None and one.now >= deadline):
                return False
            fiber = one.fiber
            if fiber is None:
                raise RuntimeError("a callback would wait for a lock")
            self._waiters.append(fiber)
            if not one.wait(None if deadline is None else deadline - one.now) and fiber in self._waiters:
                self._waiters.remove(fiber)
        self._owner, self._depth = me, 1
        return True

    def release(self) -> None:
        """See threading.Lock."""
        if self._owner is None:
            raise RuntimeError("release unlocked lock")
        self._depth -= 1
        if self._depth <= 0:
            self._owner = None
            if self._waiters:
                kernel().wake(self._waiters.popleft())

    def locked(self) -> bool:
        """See threading.Lock."""
        return self._owner is not None

    @property
    def is_mine(self) -> bool:
        """True if who runs holds it."""
        return self._owner is not None and self._owner is _me()

    def drop(self) -> int:
        """Let go of it altogether; how often it was taken."""
        depth, self._depth = self._depth, 1
        self.release()
        return depth

    def take_back(self, depth: int) -> None:
        """Take it as often again."""
        self.acquire()
        self._depth = depth

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *found: object) -> None:
        if self.is_mine:
            self.release()


class RLock(Lock):
    """See threading.RLock."""

    reentrant = True


class Condition:
    """See threading.Condition."""

    def __init__(self, lock: Lock | None = None) -> None:
        self._lock = RLock() if lock is None else lock
        self._waiters: deque[Fiber] = deque()
        self.acquire, self.release = self._lock.acquire, self._lock.release

    def __enter__(self) -> bool:
        return self._lock.__enter__()

    def __exit__(self, *found: object) -> None:
        self._lock.__exit__()

    def wait(self, timeout: float | None = None) -> bool:
        """See threading.Condition."""
        one = kernel()
        fiber = one.fiber
        if fiber is None or not self._lock.is_mine:
            raise RuntimeError("cannot wait on un-acquired lock")
        self._waiters.append(fiber)
        depth = self._lock.drop()
        woken = one.wait(timeout)
        if fiber in self._waiters:
            self._waiters.remove(fiber)
        self._lock.take_back(depth)
        return woken

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """See threading.Condition."""
        one = kernel()
        deadline = None if timeout is None else one.now + timeout
        while not (found := predicate()):
            if deadline is not None and one.now >= deadline:
                return found
            self.wait(None if deadline is None else deadline - one.now)
        return found

    def notify(self, n: int = 1) -> None:
        """See threading.Condition."""
        if not self._lock.is_mine:
            raise RuntimeError("cannot notify on un-acquired lock")
        for _ in range(min(n, len(self._waiters))):
            kernel().wake(self._waiters.popleft())

    def notify_all(self) -> None:
        """See threading.Condition."""
        self.notify(len(self._waiters))


class Event:
    """See threading.Event."""

    def __init__(self) -> None:
        self._flag = False
        self._waiters: list[Fiber] = []

    def is_set(self) -> bool:
        """See threading.Event."""
        return self._flag

    def set(self) -> None:
        """See threading.Event."""
        self._flag = True
        waiters, self._waiters = self._waiters, []
        for fiber in waiters:
            kernel().wake(fiber)

    def clear(self) -> None:
        """See threading.Event."""
        self._flag = False

    def wait(self, timeout: float | None = None) -> bool:
        """See threading.Event."""
        one = kernel()
        deadline = None if timeout is None else one.now + timeout
        while not self._flag and (deadline is None or one.now < deadline):
            fiber = one.fiber
            if fiber is not None:
                self._waiters.append(fiber)
            one.wait(None if deadline is None else deadline - one.now)
        return self._flag


class Barrier:
    """See threading.Barrier."""

    def __init__(self, parties: int) -> None:
        self._left = parties
        self._passed = Event()

    def wait(self) -> int:
        """See threading.Barrier."""
        self._left -= 1
        if self._left <= 0:
            self._passed.set()
        self._passed.wait()
        return self._left


class Thread:
    """See threading.Thread."""

    def __init__(
        self, group: None = None, target: Callable[..., object] | None = None, name: str | None = None,
        args: Iterable[Any] = (), kwargs: Any = None, *, daemon: bool | None = None,
    ) -> None:  # fmt: skip
        self.name = name or "thread"
        self.daemon = daemon
        self._call = (target, tuple(args), dict(kwargs or {}))
        self._fiber: Fiber | None = None

    def start(self) -> None:
        """See threading.Thread."""
        process = kernel().process
        target, args, kwargs = self._call
        if process is None or target is None:
            raise RuntimeError("no process to start a thread in")
        if not process.alive:
            raise Killed

        def run() -> None:
            target(*args, **kwargs)

        self._fiber = Fiber(process, run, self.name)

    @property
    def ident(self) -> int | None:
        """See threading.Thread."""
        return None if self._fiber is None else self._fiber.ident

    def is_alive(self) -> bool:
        """See threading.Thread."""
        return self._fiber is not None and self._fiber.alive

    def join(self, timeout: float | None = None) -> None:
        """See threading.Thread."""
        one, fiber = kernel(), self._fiber
        deadline = None if timeout is None else one.now + timeout
        while fiber is not None and fiber.alive and (deadline is None or one.now < deadline):
            me = one.fiber
            if me is not None:
                fiber.joined.append(me)
            one.wait(None if deadline is None else deadline - one.now)


def get_ident() -> int:
    """See threading.get_ident."""
    fiber = kernel().fiber
    return 0 if fiber is None else fiber.ident


def enumerate() -> list[Thread]:  # noqa: A001
    """Threads that gRPC's bookkeeping looks through: none of its own are here."""
    return []


class SimpleQueue:
    """See queue.SimpleQueue."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._waiters: deque[Fiber] = deque()

    @classmethod
    def __class_getitem__(cls, item: object) -> type[SimpleQueue]:
        return cls

    def put(self, item: Any) -> None:
        """See queue.SimpleQueue."""
        self._items.append(item)
        if self._waiters:
            kernel().wake(self._waiters.popleft())

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """See queue.SimpleQueue."""
        one = kernel()
        deadline = None if timeout is None else one.now + timeout
        while not self._items:
            fiber = one.fiber
            if fiber is None or not block or (deadline is not None and one.now >= deadline):
                raise Empty
            self._waiters.append(fiber)
            one.wait(None if deadline is None else deadline - one.now)
            if fiber in self._waiters:
                self._waiters.remove(fiber)
        return self._items.popleft()
