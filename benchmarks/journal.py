"""The client's journal: what a kill takes, what it costs the caller, and a day without a server.

A kill is SIGKILL: what the process logged in its last milliseconds is compared with what its journal has.
"""

from __future__ import annotations

import mmap
import multiprocessing
import multiprocessing.connection
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import fleetlog
import psutil
from fleetlog._journal.folders import below
from fleetlog._journal.left import Left

from benchmarks.figure import Figure, quantile
from benchmarks.server import Server, running

METRICS = 20
ROW = {f"metric_{place}": 0.5 + place for place in range(METRICS)}
KILLS = 30
KILLED_HERTZ = 100
_LAST = struct.Struct("<q")
"""Step that was logged last."""
PACED_HERTZ, PACED_SECONDS, TURNS = 500, 20, 4
RATIO_ROUNDS, BULK_POINTS, RATIO_STEPS = 5, 2_000_000, 20_000
DAY_SECONDS, DAY_HERTZ = 86_400, 5
"""A day of 100 points a second, twenty at once."""


def measure() -> Iterator[Figure]:
    """All of them."""
    yield from kills()
    with running() as server:
        yield from paced(server)
    with running() as server:
        yield from beside_none(server)
    with running() as server:
        yield from day(server)


def kills() -> Iterator[Figure]:
    """What SIGKILL takes of a process that logs at a steady pace, with no server there."""
    chance = random.Random(7)
    lost = [_killed(chance.uniform(0.5, 1.5)) for _ in range(KILLS)]
    name = f"SIGKILL at {KILLED_HERTZ} Hz takes the last, most"
    yield Figure(name, max(lost), "ms", 50, True, f"{KILLS} kills; p50 {quantile(lost, 0.5):.0f} ms")


def _killed(seconds: float) -> float:
    """Milliseconds of steps that were logged and are not in the journal."""
    folder = Path(tempfile.mkdtemp(prefix="fleetlog-bench-"))
    try:
        shared = folder / "last"
        shared.write_bytes(_LAST.pack(-1))
        context = multiprocessing.get_context("spawn")
        trainer = context.Process(target=_train_until_killed, args=(str(folder / "journal"), str(shared)))
        trainer.start()
        while _LAST.unpack(shared.read_bytes())[0] < 0:
            time.sleep(0.01)
        time.sleep(seconds)
        if trainer.pid is None:
            raise RuntimeError("the trainer did not start")
        os.kill(trainer.pid, signal.SIGKILL)
        trainer.join()
        (last,) = _LAST.unpack(shared.read_bytes())
        kept = sum(run.points for path in below(folder / "journal") for run in Left(path).runs()) // METRICS - 1
        return max(0.0, 1e3 * (int(last) - kept) / KILLED_HERTZ)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _train_until_killed(journal: str, shared: str) -> None:
    os.environ.update(FLEETLOG_JOURNAL=journal, FLEETLOG_MODE="offline")
    run = fleetlog.start_run("killed")
    with Path(shared).open("r+b") as file, mmap.mmap(file.fileno(), _LAST.size) as last:
        begun, step = time.monotonic(), 0
        while True:
            run.log(ROW, step=step)
            last[:] = _LAST.pack(step)
            step += 1
            time.sleep(max(0.0, begun + step / KILLED_HERTZ - time.monotonic()))


def paced(server: Server) -> Iterator[Figure]:
    """What a step costs its caller at 10,000 points a second, and the memory of the process."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    trainer = context.Process(target=_train_paced, args=(server.target, sender))
    trainer.start()
    costs, empty, copied, megabytes = receiver.recv()
    trainer.join()
    pace = f"{METRICS} metrics at {PACED_HERTZ} Hz for {PACED_SECONDS} s, journal on"
    for name, part, mark in (("p50", 0.5, 5.0), ("p99", 0.99, 100.0)):
        floor = (
            f"{pace}; at that pace a call that does nothing {quantile(empty, part):.1f} µs, one that copies keys and"
            f" values {quantile(copied, part):.1f}"
        )
        yield Figure(f"a step at 10,000 points/s, caller {name}", quantile(costs, part), "µs", mark, True, floor)
    yield Figure("memory of that process", megabytes, "MB", 80, True, "resident, at its end")


def _train_paced(target: str, sender: multiprocessing.connection.Connection) -> None:
    with tempfile.TemporaryDirectory(prefix="fleetlog-bench-") as journal:
        os.environ["FLEETLOG_JOURNAL"] = journal
        run = fleetlog.start_run(experiment="paced", target=target)
        # In turn: what else the machine does changes from minute to minute.
        calls: tuple[Callable[[int], object], ...] = (lambda step: run.log(ROW, step=step), _do_nothing, _copy)
        found: list[list[float]] = [[], [], []]
        for _ in range(TURNS):
            for costs, call in zip(found, calls, strict=True):
                costs += _paced(call)
        megabytes = psutil.Process().memory_info().rss / 1e6
        run.finish()
        run.flush(timeout=60)
    sender.send((*found, megabytes))


def _paced(call: Callable[[int], object]) -> list[float]:
    """Microseconds of each call, at the pace."""
    costs, begun = [], time.monotonic()
    for step in range(PACED_HERTZ * PACED_SECONDS // TURNS):
        at = time.perf_counter_ns()
        call(step)
        costs.append((time.perf_counter_ns() - at) / 1e3)
        time.sleep(max(0.0, begun + (step + 1) / PACED_HERTZ - time.monotonic()))
    return costs


def _do_nothing(step: int) -> None:
    """What the machine itself takes."""


def _copy(step: int) -> object:
    """The least that has to be done with a step: its keys and values, which may change behind the call."""
    return tuple(ROW), list(ROW.values()), step


def beside_none(server: Server) -> Iterator[Figure]:
    """Writes that can be read, with a journal and without one in turn, each by a process of its own."""
    context = multiprocessing.get_context("spawn")
    for name, work in (("bulk", _log_bulk), ("steps of 20 metrics", _log_steps)):
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(RATIO_ROUNDS):
            for has_journal, found in seconds.items():
                with tempfile.TemporaryDirectory(prefix="fleetlog-bench-") as folder:
                    receiver, sender = context.Pipe(duplex=False)
                    journal = folder if has_journal else "off"
                    writer = context.Process(target=_timed, args=(work, server.target, journal, sender))
                    writer.start()
                    found.append(receiver.recv())
                    writer.join()
        with_it, without = (quantile(found, 0.5) for found in seconds.values())
        detail = f"p50 of {RATIO_ROUNDS}, in turn, until they can be read: {with_it:.2f} s and {without:.2f} s"
        yield Figure(
            f"{name} with the journal, of without", 100 * without / with_it, "% of the rate", 80, False, detail
        )


def _timed(
    work: Callable[[fleetlog.Run], None], target: str, journal: str, sender: multiprocessing.connection.Connection
) -> None:
    os.environ["FLEETLOG_JOURNAL"] = journal
    run = fleetlog.start_run(experiment="beside none", target=target)
    run.flush(level="applied")
    begun = time.perf_counter()
    work(run)
    run.finish()
    run.flush(timeout=300, level="applied")
    sender.send(time.perf_counter() - begun)


def _log_bulk(run: fleetlog.Run) -> None:
    # Here: the process whose memory is measured has no numpy.
    import numpy as np

    steps = np.arange(BULK_POINTS, dtype=np.int64)
    run.log_series("loss", steps=steps, values=np.exp(-steps / BULK_POINTS))


def _log_steps(run: fleetlog.Run) -> None:
    for step in range(RATIO_STEPS):
        run.log(ROW, step=step)


def day(server: Server) -> Iterator[Figure]:
    """A day that a process logged without a server, delivered by `fleetlog sync`: a frame for each of its steps."""
    folder = tempfile.mkdtemp(prefix="fleetlog-bench-")
    try:
        context = multiprocessing.get_context("spawn")
        trainer = context.Process(target=_train_a_day, args=(folder,))
        trainer.start()
        trainer.join()
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        begun = time.perf_counter()
        command: list[str | Path] = [
            Path(sys.executable).parent / "fleetlog",
            "sync",
            folder,
            "--target",
            server.target,
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - begun
        points = DAY_SECONDS * DAY_HERTZ * METRICS
        while (there := _points_there(server)) < points and time.perf_counter() - begun < DAY_SECONDS / 20:
            time.sleep(0.2)
        if there != points:
            raise AssertionError(f"{there} of {points} points are there")
        readable = time.perf_counter() - begun
        detail = (
            f"{points:,} points in {seconds:.0f} s, readable after {readable:.0f} s;"
            f" {size / points:.1f} bytes a point in the journal"
        )
        yield Figure("a day of 100 points/s delivered", DAY_SECONDS / seconds, "× its pace", 20, False, detail)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _points_there(server: Server) -> int:
    runs = fleetlog.Client(server.target).search_runs(experiments=["day"], summaries=True)
    return sum(run.summary(key).count for run in runs for key in run.metrics)


def _train_a_day(journal: str) -> None:
    os.environ.update(FLEETLOG_JOURNAL=journal, FLEETLOG_MODE="offline")
    run = fleetlog.start_run("day")
    spool = run._delivery.spool
    for step in range(DAY_SECONDS * DAY_HERTZ):
        run.log(ROW, step=step)
        # As the thread that frames would find it, had it been a fifth of a second.
        spool.drain()
