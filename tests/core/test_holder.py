from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fleetlog_core.holder import take

HOLDER = """
import sys
from pathlib import Path
from fleetlog_core.holder import take
take(Path(sys.argv[1]), "the log", OSError)
print("held", flush=True)
sys.stdin.read()
"""


class Held(Exception):
    """Somebody has it."""


def test_another_process_holds_it_until_it_dies(tmp_path: Path) -> None:
    lock = tmp_path / "not there yet" / "x.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        for _ in range(2):  # asking changes nothing: the second one is told the same
            with pytest.raises(Held, match=rf"the log is held by process {holder.pid}: stop it, or use its port"):
                take(lock, "the log", Held)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    descriptor = take(lock, "the log", Held)
    assert lock.read_text() == str(os.getpid())
    os.close(descriptor)


def test_within_a_process_it_is_held_as_well(tmp_path: Path) -> None:
    first = take(tmp_path / "lock", "the log", Held)
    with pytest.raises(Held, match=f"process {os.getpid()}"):
        take(tmp_path / "lock", "the log", Held)
    os.close(first)
    os.close(take(tmp_path / "lock", "the log", Held))


def test_what_was_left_behind_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("4194304 and more than a process id has")
    os.close(take(tmp_path / "lock", "the log", Held))
    assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_a_holder_that_did_not_say_who_it_is(tmp_path: Path) -> None:
    descriptor = take(tmp_path / "lock", "the log", Held)
    os.ftruncate(descriptor, 0)
    with pytest.raises(Held, match="held by process unknown"):
        take(tmp_path / "lock", "the log", Held)
    os.close(descriptor)


def test_the_lock_is_for_its_owner_alone_and_not_inherited(tmp_path: Path) -> None:
    descriptor = take(tmp_path / "lock", "the log", Held)
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
