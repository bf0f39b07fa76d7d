"""The lease of imports that bring runs which may still grow."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from fleetlog._transport.connection import Connection
from fleetlog.errors import DeadlineExceeded, FailedPrecondition
from fleetlog.importers import lease
from fleetlog.importers.lease import Lease

from tests.servers import unique

_TAKE = """
import sys
from fleetlog._transport.connection import Connection
from fleetlog.importers.lease import Lease
Lease(Connection(sys.argv[1]), sys.argv[2], "mlflow").take()
print("taken", flush=True)
sys.stdin.read()
"""


class Clock:
    """Seconds that go on when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.each_pause: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        """Wait no longer than it takes to say so."""
        self.now += seconds
        self.each_pause()


@pytest.fixture
def namespace() -> str:
    return unique("lease")


def test_one_import_has_it_and_the_next_one_takes_it_when_it_is_given_back(
    embedded_target: str, namespace: str
) -> None:
    first, second = (Lease(Connection(embedded_target), namespace, "mlflow") for _ in range(2))
    other = Lease(Connection(embedded_target), namespace, "wandb")
    waits = Event()
    first.take()
    other.take()
    second._pause = lambda _: waits.set()
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(second.take)
        assert waits.wait(60)
        assert (first.is_held, second.is_held, taken.done()) == (True, False, False)
        first.give_back()
        taken.result(60)
    assert (first.is_held, second.is_held) == (False, True)
    second.check()
    second.give_back()
    other.give_back()
    first.take()
    first.give_back()


def test_a_holder_of_whom_nothing_is_heard_loses_it_and_is_told(embedded_target: str, namespace: str) -> None:
    clock = Clock()
    silent = Lease(Connection(embedded_target), namespace, "mlflow")
    silent.take()
    silent._end_renewal()
    heir = Lease(Connection(embedded_target), namespace, "mlflow", clock=clock, pause=clock.pause)
    heir.take()
    assert clock.now >= lease.EXPIRY_SECONDS
    silent.renew()
    with pytest.raises(FailedPrecondition, match="import again"):
        silent.check()
    # What another one has is not given back by who lost it.
    silent.give_back()
    heir.renew()
    heir.check()
    heir.give_back()


def test_a_holder_that_gives_signs_keeps_it_and_who_waits_gives_up_after_an_hour(
    embedded_target: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "PATIENCE_SECONDS", 4 * lease.EXPIRY_SECONDS)
    monkeypatch.setattr(lease, "LOOK_SECONDS", 0.7 * lease.EXPIRY_SECONDS)
    clock = Clock()
    holder = Lease(Connection(embedded_target), namespace, "mlflow")
    holder.take()
    holder._end_renewal()
    clock.each_pause = holder.renew
    told: list[str] = []
    waiting = Lease(
        Connection(embedded_target), namespace, "mlflow", on_wait=told.append, clock=clock, pause=clock.pause
    )
    with pytest.raises(DeadlineExceeded, match="another import of mlflow runs"):
        waiting.take()
    assert [f"process {os.getpid()}" in one for one in told] == [True]
    holder.check()
    holder.give_back()


def test_a_holder_that_was_killed_on_this_machine_is_not_waited_for(embedded_target: str, namespace: str) -> None:
    command = [sys.executable, "-c", _TAKE, embedded_target, namespace]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "taken\n"
        clock = Clock()
        heir = Lease(Connection(embedded_target), namespace, "mlflow", clock=clock, pause=clock.pause)

        def end() -> None:
            holder.kill()
            holder.wait()

        clock.each_pause = end
        heir.take()
    # It waited for who was there, and no longer.
    assert clock.now == lease.LOOK_SECONDS
    heir.give_back()
