"""Virtual time, threads and locks of a world."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from simulation import executors, threads
from simulation import kernel as kernels
from simulation.history import History
from simulation.kernel import Fiber, Kernel, Killed, Process, Stuck


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    one = Kernel(Random(7), History())
    kernels.begin(one)
    yield one
    for process in one.processes:
        process.end()
    kernels.end()


def run(kernel: Kernel, until: float = 100.0) -> None:
    kernel.run(until, lambda: False, 10_000)
    assert kernel.failures == []


def test_time_goes_on_by_what_is_waited_for(kernel: Kernel) -> None:
    seen: list[tuple[str, float]] = []
    process = Process(kernel, "one")

    def sleeper(name: str, seconds: float) -> None:
        kernel.sleep(seconds)
        seen.append((name, kernel.now))

    Fiber(process, lambda: sleeper("late", 30.0), "late")
    Fiber(process, lambda: sleeper("early", 2.0), "early")
    run(kernel)
    assert seen == [("early", 2.0), ("late", 30.0)]


def test_a_lock_is_with_one_thread_and_a_condition_wakes_who_waits(kernel: Kernel) -> None:
    process, seen = Process(kernel, "one"), list[str]()
    condition = threads.Condition()

    def waiter() -> None:
        with condition:
            found = condition.wait_for(lambda: "told" in seen, timeout=10.0)
            seen.append(f"heard {found} at {kernel.now}")

    def teller() -> None:
        kernel.sleep(3.0)
        with condition:
            kernel.sleep(1.0)
            seen.append("told")
            condition.notify_all()

    Fiber(process, waiter, "waiter")
    Fiber(process, teller, "teller")
    run(kernel)
    assert seen == ["told", "heard True at 4.0"]


def test_a_wait_that_is_over_returns_at_its_time(kernel: Kernel) -> None:
    process, event, seen = Process(kernel, "one"), threads.Event(), list[object]()
    Fiber(process, lambda: seen.extend((event.wait(5.0), kernel.now)), "waiter")
    run(kernel)
    assert seen == [False, 5.0]


def test_a_killed_process_does_nothing_more_and_its_threads_unwind(kernel: Kernel) -> None:
    process, seen = Process(kernel, "one"), list[str]()

    def work() -> None:
        try:
            while True:
                kernel.sleep(1.0)
                seen.append("works")
        except Killed:
            seen.append("unwinds")
            kernel.sleep(1.0)
            seen.append("never")

    Fiber(process, work, "work")
    kernel.after(2.5, process.kill)
    run(kernel)
    assert seen == ["works", "works", "unwinds"]


def test_a_fuse_kills_amid_a_wait(kernel: Kernel) -> None:
    process, seen = Process(kernel, "one"), list[int]()

    def work() -> None:
        for step in range(10):
            seen.append(step)
            kernel.sleep(1.0)

    process.fuse = 3
    Fiber(process, work, "work")
    run(kernel)
    assert seen == [0, 1, 2, 3]
    assert not process.alive


def test_a_paused_process_gets_what_came_in_its_order(kernel: Kernel) -> None:
    process, seen = Process(kernel, "one"), list[tuple[int, float]]()
    process.paused_until = 20.0
    for number in range(50):
        kernel.after(number * 0.1, lambda number=number: seen.append((number, kernel.now)), process)  # type: ignore[misc]
    run(kernel)
    assert seen == [(number, 20.0) for number in range(50)]


def test_a_shorter_pause_amid_a_longer_one_ends_neither(kernel: Kernel) -> None:
    process, seen = Process(kernel, "one"), list[tuple[str, float]]()
    process.pause(20.0)
    kernel.after(1.0, lambda: seen.append(("first", kernel.now)), process)
    kernel.after(2.0, lambda: process.pause(3.0))
    kernel.after(10.0, lambda: seen.append(("second", kernel.now)), process)
    run(kernel)
    assert seen == [("first", 20.0), ("second", 20.0)]


def test_who_is_first_of_two_at_one_time_is_the_random_sources_choice(kernel: Kernel) -> None:
    orders = set()
    for seed in range(20):
        kernel.random.seed(seed)
        seen: list[int] = []
        for number in range(2):
            kernel.after(1.0, lambda number=number, seen=seen: seen.append(number))  # type: ignore[misc]
        run(kernel, kernel.now + 2.0)
        orders.add(tuple(seen))
    assert orders == {(0, 1), (1, 0)}


def test_an_executor_does_one_thing_after_another_in_each_of_its_threads(kernel: Kernel) -> None:
    process, seen = Process(kernel, "one"), list[object]()

    def work(number: int) -> int:
        kernel.sleep(1.0)
        seen.append((number, kernel.now))
        return number

    def ask() -> None:
        one = executors.Executor(1)
        futures = [one.submit(work, number) for number in range(3)]
        waited = executors.wait_for_futures(futures, 1.5)
        seen.append((len(waited.done), len(waited.not_done)))
        seen.append([future.result() for future in futures])

    Fiber(process, ask, "ask")
    run(kernel)
    assert seen == [(0, 1.0), (1, 2), (1, 2.0), (2, 3.0), [0, 1, 2]]


def test_an_error_in_a_thread_ends_the_world(kernel: Kernel) -> None:
    def work() -> None:
        raise ValueError("wrong")

    Fiber(Process(kernel, "one"), work, "work")
    assert kernel.run(1.0, lambda: False, 100)
    assert kernel.failures == ["one: thread work ended by ValueError('wrong')"]


def test_a_world_without_rest_is_told(kernel: Kernel) -> None:
    def work() -> None:
        while True:
            kernel.sleep(0.0)

    Fiber(Process(kernel, "one"), work, "work")
    with pytest.raises(Stuck):
        kernel.run(1.0, lambda: False, 100)
