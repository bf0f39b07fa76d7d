"""However a process ends, its run ends rightly, in bounded time, and what was lost is said."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import fleetlog
import pytest
from fleetlog._transport.threads import THREADS_AT_EXIT

from tests.client.processes import command, ended, environment, said, train, wait_for
from tests.ports import free_port

BOUND_SECONDS = 40
"""10 s for the last deliveries, and what a busy machine takes to end a process."""
BARE = "run = fleetlog.start_run('exits', tags={'case': CASE})\nrun.log({'x': 1.0}, step=1)\n"


@pytest.mark.parametrize(
    ("case", "ending", "code", "state"),
    [
        ("end", "", 0, "FINISHED"),
        ("sys.exit()", "sys.exit()", 0, "FINISHED"),
        ("exception", "raise RuntimeError('x')", 1, "FAILED"),
        ("finish without waiting", "run.finish(wait=False)", 0, "FINISHED"),
        ("block", "with run: pass", 0, "FINISHED"),
        ("exception in a block", "with run: raise RuntimeError('x')", 1, "FAILED"),
        ("sys.exit(3) in a block", "with run: sys.exit(3)", 3, "FAILED"),
        ("Ctrl-C in a block", "with run: raise KeyboardInterrupt", -signal.SIGINT, "KILLED"),
        ("Ctrl-C", "os.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)", -signal.SIGINT, "KILLED"),
        ("sys.exit(3)", "sys.exit(3)", 3, "FAILED"),
        ("sys.exit with a text", "sys.exit('no data')", 1, "FAILED"),
        ("sys.exit(0)", "sys.exit(0)", 0, "FINISHED"),
        ("exit(2)", "exit(2)", 2, "FAILED"),
        ("raise SystemExit(1)", "raise SystemExit(1)", 1, "FAILED"),
        ("raise SystemExit(None)", "raise SystemExit(None)", 0, "FINISHED"),
        ("a main function that returns 0", "main = lambda: 0\nraise SystemExit(main())", 0, "FINISHED"),
        (
            "an exit that is caught",
            "try:\n    sys.exit(4)\nexcept SystemExit as error: print(error.code)",
            0,
            "FINISHED",
        ),
        ("143", "sys.exit(143)", 143, "KILLED"),
        ("sys.exit of a text in a block", "with run: sys.exit('no data')", 1, "FAILED"),
        ("nobody holds it", "run = None", 0, "FINISHED"),
        ("SIGTERM", "os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)", -signal.SIGTERM, "KILLED"),
        ("SIGHUP", "os.kill(os.getpid(), signal.SIGHUP)\ntime.sleep(60)", -signal.SIGHUP, "KILLED"),
        ("SIGQUIT", "os.kill(os.getpid(), signal.SIGQUIT)\ntime.sleep(60)", -signal.SIGQUIT, "KILLED"),
    ],
)
def test_the_state_says_how_it_ended(
    embedded_target: str, tmp_path: Path, case: str, ending: str, code: int, state: str
) -> None:
    done = train(f"CASE = {case!r}\n{BARE}{ending}\n", tmp_path, embedded_target)
    assert done.returncode == code, done.stderr
    client = fleetlog.Client(embedded_target)
    (found,) = wait_for(
        lambda: client.search_runs(f"tags.case = '{case}'", experiments=["exits"]),
        lambda runs: [run.state for run in runs] not in ([], ["RUNNING"]),
    )
    assert found.state == state
    assert found.metrics == {"x": 1.0}


def test_os_exit_leaves_no_hang(embedded_target: str, tmp_path: Path) -> None:
    begun = time.monotonic()
    assert train(f"CASE = 'os._exit'\n{BARE}os._exit(7)", tmp_path, embedded_target).returncode == 7
    assert time.monotonic() - begun < BOUND_SECONDS


def test_without_a_server_the_exit_is_bounded_and_says_what_is_lost(tmp_path: Path) -> None:
    script = f"CASE = 'away'\n{BARE}"
    script += "for step in range(99): run.log({'x': 1.0}, step=step)\nprint(time.time())"
    done = train(script, tmp_path, f"127.0.0.1:{free_port()}")
    ended = time.time()
    assert done.returncode == 0
    assert ended - float(done.stdout.splitlines()[-1]) < BOUND_SECONDS
    assert "goes on without a server" in done.stderr
    assert "100 points for" in done.stderr
    assert "`fleetlog sync` delivers them" in done.stderr


def test_sigterm_without_a_server_is_bounded(tmp_path: Path) -> None:
    script = f"CASE = 'away'\n{BARE}print('ready', flush=True)\ntime.sleep(60)"
    process = subprocess.Popen(
        command(script, tmp_path), env=environment(f"127.0.0.1:{free_port()}"), stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(BOUND_SECONDS) == -signal.SIGTERM


@pytest.mark.parametrize("where", ["a log", "the end"])
def test_a_signal_that_comes_amid_a_change_of_what_waits_loses_nothing(
    embedded_target: str, tmp_path: Path, where: str
) -> None:
    done = train(
        f"""
        from collections import deque
        run = fleetlog.start_run("amid a change")
        for step in range(1000):
            run.log({{"x": 1.0}}, step=step)
        outbox = run._delivery.outbox

        class Items(deque):
            def append(self, item):
                # The signal is heard here, where the main thread holds the outbox.
                os.kill(os.getpid(), signal.SIGTERM)
                super().append(item)

        with outbox._lock:
            outbox._items = Items(outbox._items)
        print(json.dumps(run.id), flush=True)
        if {where == "a log"}:
            run.log({{"x": 1.0}}, step=1000)
            time.sleep(60)
        """,
        tmp_path,
        embedded_target,
    )
    assert (done.returncode, done.stderr) == (-signal.SIGTERM, "")
    view = ended(embedded_target, said(done))
    assert view.state == ("KILLED" if where == "a log" else "FINISHED")
    assert len(view.metric("x").steps) == (1001 if where == "a log" else 1000)


def test_a_handler_of_ones_own_is_left_alone(embedded_target: str, tmp_path: Path) -> None:
    script = "signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(5))\nCASE = 'own handler'\n"
    done = train(script + BARE + "os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)", tmp_path, embedded_target)
    assert done.returncode == 5


def test_sigterm_ends_runs_that_other_threads_opened(embedded_target: str, tmp_path: Path) -> None:
    done = train(
        """
        import threading
        from concurrent.futures import ThreadPoolExecutor
        opened = threading.Barrier(3)

        def trial(number):
            with fleetlog.start_run("exits of threads", f"trial {number}") as run:
                run.log({"x": 1.0}, step=0)
                opened.wait()
                time.sleep(60)

        def end():
            opened.wait()
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=end, daemon=True).start()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(trial, range(2)))
        """,
        tmp_path,
        embedded_target,
    )
    assert done.returncode == -signal.SIGTERM, done.stderr
    client = fleetlog.Client(embedded_target)
    runs = wait_for(
        lambda: client.search_runs(experiments=["exits of threads"]),
        lambda runs: [run.state for run in runs] == ["KILLED"] * 2,
    )
    assert [(run.state, run.metrics) for run in runs] == [("KILLED", {"x": 1.0})] * 2


def test_a_run_fails_with_the_thread_that_opened_it(embedded_target: str, tmp_path: Path) -> None:
    done = train(
        """
        import threading
        ids = []

        def trial():
            run = fleetlog.start_run("thread fails")
            ids.append(run.id)
            raise RuntimeError("x")

        thread = threading.Thread(target=trial)
        thread.start()
        thread.join()
        ids.append(fleetlog.start_run("thread fails").id)
        print(json.dumps(ids))
        """,
        tmp_path,
        embedded_target,
    )
    assert "RuntimeError" in done.stderr
    assert [ended(embedded_target, run_id).state for run_id in said(done)] == ["FAILED", "FINISHED"]


def test_runs_that_nobody_holds_end_with_the_process_and_cost_little(embedded_target: str, tmp_path: Path) -> None:
    done = train(
        """
        import tracemalloc

        def sweep(number):
            for trial in range(number):
                run = fleetlog.start_run("sweep", params={f"p{n}": "v" * 100 for n in range(100)})
                run.log({f"m{n}": 1.0 for n in range(100)}, step=0)
            fleetlog.flush()

        sweep(10)
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        sweep(300)
        print(json.dumps((tracemalloc.get_traced_memory()[0] - before) / 300))
        """,
        tmp_path,
        embedded_target,
    )
    assert done.returncode == 0, done.stderr
    assert said(done) < 4_000
    client = fleetlog.Client(embedded_target)
    runs = wait_for(
        lambda: client.search_runs("attributes.state = 'FINISHED'", experiments=["sweep"], limit=None),
        lambda runs: len(runs) == 310,
    )
    assert len(runs) == 310
    assert all(len(run.metrics) == 100 for run in runs)


def test_what_an_older_exit_handler_logs_arrives(embedded_target: str, tmp_path: Path) -> None:
    (tmp_path / "older.py").write_text(
        "import atexit\nruns = []\n@atexit.register\ndef bye():\n"
        "    for step in range(3): runs[0].log({'final': 1.0}, step=step)\n"
    )
    path = tmp_path / "train.py"
    path.write_text("import older, json, fleetlog\nolder.runs.append(fleetlog.start_run('late'))\n")
    with path.open("a") as file:
        file.write("older.runs[0].log({'loss': 1.0})\nprint(json.dumps(older.runs[0].id))\n")
    done = subprocess.run(
        [sys.executable, str(path)], env=environment(embedded_target), capture_output=True, text=True, check=True
    )
    # Where Python starts no threads at this time it is told.
    if THREADS_AT_EXIT:
        view = wait_for(lambda: ended(embedded_target, said(done)), lambda view: "final" in view.metrics)
        assert view.metrics == {"loss": 1.0, "final": 1.0}
        assert view.metric("final").steps.tolist() == [0, 1, 2]
    else:
        assert "is logged after the last delivery of the process is kept in" in done.stderr


def test_a_second_ctrl_c_ends_the_wait_and_says_what_is_lost(tmp_path: Path) -> None:
    script = f"CASE = 'twice'\n{BARE}print('ready', flush=True)\ntime.sleep(60)"
    process = subprocess.Popen(
        command(script, tmp_path), env=environment(f"127.0.0.1:{free_port()}"), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        said_first = next(line for line in process.stderr if line.startswith("waiting up to"))
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(BOUND_SECONDS) == -signal.SIGINT
    assert "1 points" in said_first
    assert "Ctrl-C leaves them" in said_first
    assert "`fleetlog sync` delivers them" in rest
    assert time.monotonic() - begun < BOUND_SECONDS


def test_an_error_in_a_block_without_a_server_is_bounded_too(tmp_path: Path) -> None:
    script = f"CASE = 'away'\n{BARE}print(time.time())\nwith run: raise RuntimeError('x')"
    done = train(script, tmp_path, f"127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert time.time() - float(done.stdout.splitlines()[-1]) < BOUND_SECONDS
    assert "`fleetlog sync` delivers them" in done.stderr


@pytest.mark.parametrize("word", ["BOGUS", "RUNNING", "", None, 5])
def test_a_word_that_ends_no_run_is_told_and_the_run_can_still_be_ended(
    embedded_target: str, experiment: str, caplog: pytest.LogCaptureFixture, word: Any
) -> None:
    with fleetlog.start_run(experiment, target=embedded_target) as run:
        run.finish(word)
    assert "give one of FINISHED, FAILED, KILLED" in caplog.text
    assert fleetlog.Client(embedded_target).get_run(run.id).state == "FINISHED"


@pytest.mark.parametrize("seconds", [-3_600, 86_400])
def test_a_clock_that_is_set_meanwhile_changes_no_duration_and_is_told(
    embedded_target: str, experiment: str, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    real = time.time_ns
    with fleetlog.start_run(experiment, target=embedded_target) as run:
        run.log({"x": 1.0}, step=0)
        monkeypatch.setattr(time, "time_ns", lambda: real() + seconds * 1_000_000_000)
        run.log({"x": 1.0}, step=1)
        run.finish()
    view = fleetlog.Client(embedded_target).get_run(run.id)
    assert view.duration is not None
    assert view.duration.total_seconds() < 3_600
    first, second = view.metric("x").times
    assert 0 <= second - first < 3_600_000
    # The server is in this process: when its clock is set back, times that go on are ahead of it, which is told too.
    reasons = {problem.reason for problem in view.problems}
    assert reasons == ({"CLOCK_SET"} if seconds > 0 else {"CLOCK_SET", "CLOCK_AHEAD"})
