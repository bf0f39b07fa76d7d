"""A training that logs a step after the other, in a thread of its own, while a test does something to the servers."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import fleetlog as client

from tests.waiting import reached

PAUSE_SECONDS = 0.005


class Training:
    """Logs `x` at steps from 0 on, as its value, until it is left; the run is finished then."""

    def __init__(self, run: client.Run) -> None:
        self.run = run
        self.steps = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._log, name="training")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        if error is None:
            self.run.finish(timeout=200)

    def goes_on(self, steps: int = 20) -> None:
        """Wait until so many steps more were logged, and until all that were are durable."""
        wanted = self.steps + steps
        reached(lambda: self.steps >= wanted, 200)
        self.run.flush(timeout=200)

    def check(self, reader: client.Client) -> None:
        """Every step is there, once. Behind the end of it."""
        reached(lambda: reader.get_run(self.run.id).state == "FINISHED", 200)
        points = reader.read_metric(self.run.id, "x")
        assert points.steps.tolist() == list(range(self.steps))
        assert points.values.tolist() == [float(step) for step in range(self.steps)]

    def _log(self) -> None:
        while not self._ended.is_set():
            self.run.log({"x": float(self.steps)}, step=self.steps)
            self.steps += 1
            self._ended.wait(PAUSE_SECONDS)
