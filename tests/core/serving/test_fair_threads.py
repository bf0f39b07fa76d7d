from __future__ import annotations

import asyncio
import queue
import threading
from contextvars import copy_context
from functools import partial

import pytest
from fleetlog_core.rates.fair_queue import THERE_SECONDS
from fleetlog_core.rates.limiter import Limiter, set_payer
from fleetlog_core.serving.traces import ContextThreads

LIMITER = Limiter()


def submitted_by(threads: ContextThreads, caller: str, call: object) -> object:
    """The future of a call that a caller's call asks for."""

    def submit() -> object:
        set_payer(LIMITER.payer(caller, []))
        return threads.submit(call)

    return copy_context().run(submit)


def test_who_asks_for_much_waits_behind_others_and_leaves_threads_for_them() -> None:
    done: list[str] = []
    gate, begun = threading.Event(), threading.Semaphore(0)

    def slow() -> None:
        begun.release()
        assert gate.wait(60)
        done.append("slow")

    with ContextThreads(3, "test", share=2) as threads:
        for _ in range(6):
            submitted_by(threads, "greedy", slow)
        for _ in range(2):
            assert begun.acquire(timeout=60)
        # Two threads are with the one who asks for much; the third one serves the others, who came later.
        others = [submitted_by(threads, f"other {n}", lambda: done.append("other")) for n in range(4)]
        for one in others:
            one.result(60)  # type: ignore[attr-defined]
        assert done == ["other"] * 4
        gate.set()
    assert sorted(done) == ["other"] * 4 + ["slow"] * 6


def test_a_caller_has_all_threads_again_when_the_others_are_gone() -> None:
    """Though nothing is asked for at that time: its work waits already."""
    now = 0.0
    steps = [threading.Event() for _ in range(4)]
    begun: queue.Queue[int] = queue.Queue()

    def step(number: int) -> None:
        begun.put(number)
        assert steps[number].wait(60)

    with ContextThreads(4, "test", share=4, places=2, clock=lambda: now) as threads:
        submitted_by(threads, "other", lambda: None).result(60)  # type: ignore[attr-defined]
        waiting = [submitted_by(threads, "greedy", partial(step, number)) for number in range(4)]
        assert begun.get(timeout=60) == 0
        assert (threads.callers(), begun.empty()) == (2, True)
        now = 2 * THERE_SECONDS
        steps[0].set()
        # The thread that is done with the first takes the second, and another one is begun for each of the rest.
        assert sorted(begun.get(timeout=60) for _ in range(3)) == [1, 2, 3]
        assert threads.callers() == 1
        for one in steps:
            one.set()
        for future in waiting:
            future.result(60)  # type: ignore[attr-defined]


def test_errors_and_results_reach_whoever_waits_and_what_is_cancelled_is_not_done() -> None:
    gate = threading.Event()
    with ContextThreads(1, "test") as threads:
        first = threads.submit(gate.wait, 60)
        failing, cancelled = threads.submit(int, "x"), threads.submit(gate.clear)
        assert cancelled.cancel()
        last = threads.submit(lambda: 7)
        gate.set()
        assert (first.result(60), last.result(60), gate.is_set()) == (True, 7, True)
        with pytest.raises(ValueError, match="invalid literal"):
            failing.result(60)


def test_an_event_loop_may_wait_for_it() -> None:
    async def scenario() -> int:
        with ContextThreads(2, "test") as threads:
            return sum(
                await asyncio.gather(
                    *(asyncio.get_running_loop().run_in_executor(threads, int, "1") for _ in range(50))
                )
            )

    assert asyncio.run(scenario()) == 50
