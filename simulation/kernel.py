"""The kernel of a world: virtual time, processes, and their threads, of which one runs at a time.

event    something that happens at a time; of those at one time the random source says which is first
thread   a greenlet: it runs until it waits, which every lock, sleep and call of a port does
process  threads and callbacks that are killed, or paused, together

Nothing here takes time by itself: time goes on when everybody waits. So a world of minutes takes milliseconds, and the
same random source gives the same world.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any

from greenlet import getcurrent, greenlet

EPOCH_SECONDS = 1_790_000_000.0
"""Wall clock at the beginning of a world."""
BOOT_SECONDS = 1_000.0
"""Monotonic clock at the beginning of a world."""


class Killed(BaseException):
    """The process of this thread is dead: whatever the thread was about to do is not done."""


class Stuck(Exception):
    """A world that does not come to rest within the events that it has."""


class Timer:
    """An event to come."""

    __slots__ = ("call", "process")

    def __init__(self, call: Callable[[], None] | None, process: Process | None) -> None:
        self.call = call
        self.process = process

    def cancel(self) -> None:
        """It does not happen."""
        self.call = None


class Process:
    """Something that is killed as one. `stalls`: share of lock acquisitions at which its threads lose the processor."""

    def __init__(self, kernel: Kernel, name: str, stalls: float = 0.0) -> None:
        self.kernel = kernel
        self.name = name
        self.stalls = stalls
        self.alive = True
        self.wall_offset = 0.0
        """Seconds by which its wall clock is wrong."""
        self.paused_until = 0.0
        self.fuse = -1
        """Waits of its threads until it dies; negative: it does not."""
        self.fuses: dict[str, int] = {}
        """By topic: waits until it dies, from the first insert of its next batch of the topic on."""
        self.threads: list[Fiber] = []
        self.at_kill: list[Callable[[], None]] = []
        """What its system does for it: files that it holds are closed."""
        kernel.processes.append(self)

    def kill(self) -> None:
        """End it now. When it is called in one of its own threads, that one raises Killed at its next wait."""
        if not self.alive:
            return
        self.alive = False
        self.kernel.history.add(self.name, "dies")
        self.kernel.after(0.0, self._reap)

    def inserts(self, topic: str) -> None:
        """It inserts rows of a batch of a topic."""
        if topic in self.fuses:
            self.fuse = self.fuses.pop(topic)

    def pause(self, seconds: float) -> None:
        """Let it stand still from now on, so long at least."""
        # One that was to stand still for longer does: what it missed keeps its order.
        self.paused_until = max(self.paused_until, self.kernel.now + seconds)

    def end(self) -> None:
        """End it with its world. Called outside of all threads."""
        self.alive = False
        self._reap()

    def _reap(self) -> None:
        for thread in self.threads:
            thread.end()
        self.threads.clear()
        for call in self.at_kill:
            call()
        self.at_kill.clear()


class Fiber:
    """A thread of a process."""

    def __init__(self, process: Process, target: Callable[[], None], name: str) -> None:
        kernel = process.kernel
        self.process = process
        self.name = name
        self.ident = next(kernel.idents)
        self.alive = True
        self.waits = 0
        """Number of its waits so far: what was to end an earlier one says nothing of this one."""
        self.waiting = False
        self._target = target
        self._kernel = kernel
        self._greenlet = greenlet(self._run, parent=kernel.hub)
        self._greenlet.fiber = self
        self.joined: list[Fiber] = []
        process.threads.append(self)
        kernel.after(0.0, self._begin, process)

    def _begin(self) -> None:
        if self.alive:
            self._greenlet.switch()

    def _run(self) -> None:
        try:
            self._target()
        except Killed:
            pass
        except BaseException as error:
            self._kernel.broke(f"{self.process.name}: thread {self.name} ended by {error!r}", error)
        self.alive = False
        for other in self.joined:
            self._kernel.wake(other)

    def resume(self, number: int, woken: bool) -> None:
        """End its wait of that number."""
        if self.waiting and self.waits == number:
            self.waiting = False
            self._greenlet.switch(woken)

    def end(self) -> None:
        """It raises Killed wherever it waits. Called outside of all threads."""
        if self._greenlet and not self._greenlet.dead:
            self.waiting = False
            self._greenlet.throw(Killed)
        self.alive = False


class Kernel:
    """One world's. Used in the greenlet that made it, and in those of its threads."""

    def __init__(self, random: Random, history: Any) -> None:
        self.now = 0.0
        self.random = random
        self.history = history
        self.hub = getcurrent()
        self.idents = count(1)
        self.busy_seconds = 0.0
        """The longest that what could run waits for a processor."""
        self.processes: list[Process] = []
        self.happened = 0
        """Events that happened."""
        self.failures: list[str] = []
        """What broke that nothing may break."""
        self.errors: list[BaseException] = []
        self._events: list[tuple[float, float, int, Timer]] = []
        self._numbers = count()
        self._process: Process | None = None

    # -- events

    def after(self, seconds: float, call: Callable[[], None], process: Process | None = None) -> Timer:
        """Have it called so many seconds from now; of a process, unless that is dead then."""
        timer = Timer(call, process)
        if process is None or process.alive:
            heapq.heappush(self._events, (self.now + seconds, self.random.random(), next(self._numbers), timer))
        return timer

    def run(self, until: float, is_over: Callable[[], bool], most_events: int) -> bool:
        """Let time go on: whether it was over before the end. Stuck: more than `most_events` happened."""
        events = self._events
        for _ in range(most_events):
            if self.failures or is_over():
                return True
            if not events or events[0][0] > until:
                return False
            when, tie, number, timer = heapq.heappop(events)
            call, process = timer.call, timer.process
            if call is None or (process is not None and not process.alive):
                continue
            self.now = max(self.now, when)
            if process is not None and process.paused_until > self.now:
                # In the order in which they came: that of what one connection brings holds.
                tie = tie if tie < 0.0 else when * 1e-9 - 1.0
                heapq.heappush(events, (process.paused_until, tie, number, timer))
                continue
            self.happened += 1
            self._process = process
            call()
            self._process = None
        raise Stuck(f"no rest after {most_events:,} events, at {self.now:.1f} s")

    def broke(self, what: str, error: BaseException | None = None) -> None:
        """Note that something happened that must not; the world ends."""
        self.failures.append(what)
        self.history.add("world", f"FAILS: {what}")
        if error is not None:
            self.errors.append(error)

    # -- threads

    @property
    def fiber(self) -> Fiber | None:
        """The thread that runs; None in a callback."""
        return getattr(getcurrent(), "fiber", None)

    @property
    def process(self) -> Process | None:
        """The process that runs."""
        fiber = self.fiber
        return self._process if fiber is None else fiber.process

    def wait(self, seconds: float | None = None) -> bool:
        """Have the running thread wait until it is woken, or the time is over: whether it was woken. Killed."""
        fiber = self.fiber
        if fiber is None:
            raise RuntimeError("a callback can't wait")
        process = fiber.process
        if process.fuse >= 0:
            process.fuse -= 1
            if process.fuse < 0:
                process.kill()
        if not process.alive:
            raise Killed
        fiber.waits += 1
        fiber.waiting = True
        number, timer = fiber.waits, None
        if seconds is not None:
            timer = self.after(max(0.0, seconds), lambda: fiber.resume(number, False), process)
        woken = bool(self.hub.switch())
        if timer is not None and woken:
            timer.cancel()
        if not process.alive:
            raise Killed
        return woken

    def wake(self, fiber: Fiber) -> None:
        """End the wait of a thread, soon."""
        if fiber.waiting:
            number = fiber.waits
            self.after(self.lag(), lambda: fiber.resume(number, True), fiber.process)

    def lag(self) -> float:
        """Seconds until what could run does."""
        return self.random.random() * self.busy_seconds

    def sleep(self, seconds: float) -> None:
        """Have the running thread wait so long."""
        self.wait(seconds)

    def stall(self) -> None:
        """Now and then the running thread loses the processor here."""
        fiber = self.fiber
        if fiber is not None and fiber.process.stalls and self.random.random() < fiber.process.stalls:
            self.wait(self.random.random() * 0.02)


_current: list[Kernel] = []


def kernel() -> Kernel:
    """The kernel of the world that runs."""
    return _current[-1]


def begin(one: Kernel) -> None:
    """A world begins."""
    _current.append(one)


def end() -> None:
    """It is over."""
    _current.pop()
