"""The product's modules, with threads, clocks and randomness of the world: by what they imported, name by name.

The product's code is not changed, and knows nothing of this: a module that says `import threading` finds the stand-in
under that name for as long as a world runs.
"""

from __future__ import annotations

import concurrent.futures
import os
import queue
import random
import secrets
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

from fleetlog._delivery import streams
from fleetlog._events import items
from fleetlog_core.serving import traces

from simulation import clocks, executors, threads

PACKAGES = ("fleetlog.", "fleetlog_core.", "fleetlog_ingest.", "fleetlog_query.")
_STAND_INS: dict[int, object] = {
    id(threading): threads,
    id(queue): SimpleNamespace(SimpleQueue=threads.SimpleQueue, Empty=queue.Empty),
    id(queue.SimpleQueue): threads.SimpleQueue,
    id(concurrent.futures.ThreadPoolExecutor): executors.Executor,
    id(concurrent.futures.wait): executors.wait_for_futures,
    id(traces.ContextThreads): executors.Executor,
    id(time): clocks.TIME,
    id(time.time): clocks.wall,
    id(time.time_ns): clocks.wall_ns,
    id(time.monotonic): clocks.monotonic,
    id(time.perf_counter): clocks.monotonic,
    id(os): clocks.SYSTEM,
    id(secrets): clocks.SECRETS,
    id(datetime): clocks.MOMENT,
}
Change = tuple[Any, str, object]


def _modules() -> Iterator[ModuleType]:
    for name, module in sorted(sys.modules.items()):
        if name.startswith(PACKAGES) and isinstance(module, ModuleType):
            yield module


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    """The functions of a module, and those of its classes."""
    for one in list(vars(module).values()):
        if isinstance(one, FunctionType):
            yield one
        elif isinstance(one, type) and one.__module__ == module.__name__:
            yield from (made for made in vars(one).values() if isinstance(made, FunctionType))


def _changes() -> list[Change]:
    """What is to be set: of what, under which name, to what."""
    found: list[Change] = []
    for module in _modules():
        for name, value in list(vars(module).items()):
            if id(value) in _STAND_INS and not (value is datetime and module.__name__.endswith("times")):
                found.append((module, name, _STAND_INS[id(value)]))
        for function in _functions(module):
            defaults = function.__defaults__
            if defaults and any(id(one) in _STAND_INS for one in defaults):
                found.append((function, "__defaults__", tuple(_STAND_INS.get(id(one), one) for one in defaults)))
            by_name = function.__kwdefaults__
            if by_name and any(id(one) in _STAND_INS for one in by_name.values()):
                made = {name: _STAND_INS.get(id(one), one) for name, one in by_name.items()}
                found.append((function, "__kwdefaults__", made))
    return found


_all: list[Change] = []
_marker_init = items.Marker.__init__


def _init_marker(self: items.Marker) -> None:
    self.reached = threads.Event()  # type: ignore[assignment]


@contextmanager
def installed(numbers: random.Random) -> Iterator[None]:
    """Have them for as long as a world runs; `numbers` are what pauses are jittered by."""
    if not _all:
        _all.extend(_changes())
        _all.append((items.Marker, "__init__", _init_marker))
        _all.append((streams, "_jitter", None))
    before = [(of, name, getattr(of, name)) for of, name, _ in _all]
    try:
        for of, name, value in _all:
            setattr(of, name, numbers if name == "_jitter" else value)
        yield
    finally:
        for of, name, value in before:
            setattr(of, name, value)
