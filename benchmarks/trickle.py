"""What a server costs while little happens, and how soon a lone write can be read.

CPU is the server's own, of its process, in percent of a core: what else the machine does weighs less on it than on
the clock.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier, Event

import fleetlog
import psutil

from benchmarks.figure import Figure, quantile
from benchmarks.server import Server, running

METRICS = 20
SECONDS = 20.0
SETTLE_SECONDS = 8.0
"""Between the last start of a run, which reads and makes tables, and the measurement."""
WAIT_SECONDS = 300.0
LONE_WRITES = 40
IDLE_SECONDS = 0.6
"""Between lone writes: longer than a materializer rests after a batch that somebody waited for."""


def measure() -> Iterator[Figure]:
    """Each on a server of its own."""
    with running() as server:
        yield lone_write(server, mark=50)
    with running() as server:
        yield Figure("server's CPU, idle", _percent(server), "% of a core", 1, True, f"{SECONDS:.0f} s")
    for processes, hertz, mark in ((1, 100, 10), (1, 10, 8), (1, 1, 3), (32, 1, 10)):
        with running() as server, writing(server, processes, hertz):
            yield Figure(
                f"server's CPU, {processes} {'process' if processes == 1 else 'processes'} at {hertz} Hz",
                _percent(server), "% of a core", mark, True, f"{METRICS} metrics a step; {SECONDS:.0f} s",
            )  # fmt: skip


def lone_write(server: Server, mark: float) -> Figure:
    """A lone write in quiet: from the call that logs it to the answer of a read that has it."""
    client = fleetlog.Client(server.target)
    run = fleetlog.start_run(experiment="lone", target=server.target)
    run.flush(timeout=60, level="applied")
    millis = []
    for step in range(LONE_WRITES):
        time.sleep(IDLE_SECONDS)
        begun = time.perf_counter()
        run.log({"loss": float(step)}, step=step)
        run.flush()
        # Read your writes: the read waits for what was acknowledged.
        last = client.read_metric(run.id, "loss", last=1)
        millis.append((time.perf_counter() - begun) * 1e3)
        if last.steps.tolist() != [step]:
            raise AssertionError(f"step {step} was not there to read")
    run.finish()
    detail = f"{LONE_WRITES} writes; p95 {quantile(millis, 0.95):.0f} ms"
    return Figure("a lone write can be read, p50", quantile(millis, 0.5), "ms", mark, True, detail)


@contextmanager
def writing(server: Server, processes: int, hertz: float) -> Iterator[None]:
    """Processes that log a step of METRICS at a steady pace meanwhile, all of which have begun."""
    context = multiprocessing.get_context("spawn")
    begun, ended = context.Barrier(processes + 1), context.Event()
    writers = [
        context.Process(target=_write, args=(server.target, hertz, begun, ended), daemon=True) for _ in range(processes)
    ]
    for writer in writers:
        writer.start()
    try:
        begun.wait(WAIT_SECONDS)
        yield
    finally:
        ended.set()
        for writer in writers:
            writer.join(WAIT_SECONDS)


def _write(target: str, hertz: float, begun: Barrier, ended: Event) -> None:
    """One writer process."""
    run = fleetlog.start_run(experiment="trickle", target=target)
    row = {f"metric_{place}": 0.5 + place for place in range(METRICS)}
    run.log(row, step=0)
    run.flush(timeout=WAIT_SECONDS)
    begun.wait(WAIT_SECONDS)
    start, step = time.monotonic(), 1
    while not ended.wait(max(0.0, start + step / hertz - time.monotonic())):
        run.log(row, step=step)
        step += 1
    run.finish()


def _percent(server: Server) -> float:
    """CPU of the server's process in percent of a core."""
    time.sleep(SETTLE_SECONDS)
    process = psutil.Process(server.pid)
    before, begun = process.cpu_times(), time.monotonic()
    time.sleep(SECONDS)
    after, seconds = process.cpu_times(), time.monotonic() - begun
    return 100 * (after.user + after.system - before.user - before.system) / seconds
