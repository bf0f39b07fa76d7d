from __future__ import annotations

import os
import signal
import time
from concurrent.futures.process import BrokenProcessPool

import pytest

from tests import own_processes
from tests.own_processes import in_fresh_process, in_own_process


def _fail() -> int:
    raise ValueError(os.getpid())


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_is_kept_until_a_call_fails_in_it() -> None:
    first = in_own_process(os.getpid)
    assert first != os.getpid()
    assert in_own_process(os.getpid) == first
    with pytest.raises(ValueError, match=str(first)):
        in_own_process(_fail)
    assert in_own_process(os.getpid) != first
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_a_process_that_dies_or_takes_too_long_is_none_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BrokenProcessPool):
        in_own_process(_die)
    hanging = in_own_process(os.getpid)
    with monkeypatch.context() as patch:
        patch.setattr(own_processes, "SECONDS", 0.01)
        with pytest.raises(TimeoutError):
            in_own_process(time.sleep, 600)
    with pytest.raises(ProcessLookupError):
        os.kill(hanging, 0)


def test_a_fresh_process_is_nobody_elses() -> None:
    assert len({in_own_process(os.getpid), in_fresh_process(os.getpid), in_fresh_process(os.getpid)}) == 3
