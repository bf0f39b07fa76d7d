"""What a run records by itself, as its readers see it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fleetlog
import pytest
from fleetlog._capture import inputs, recorder
from fleetlog._capture.recording import Inputs
from fleetlog._capture.switches import Switches

from tests.client.processes import command, ended, environment, said, train
from tests.waiting import reached


def files_of(target: str, run_id: str) -> list[str]:
    return [file.path for file in fleetlog.Client(target).list_artifacts(run_id)]


def steps_of(client: fleetlog.Client, run: fleetlog.Run) -> list[int]:
    return [int(step) for step in client.read_series([run], ["loss"])[0].steps]


def console_of(target: str, run_id: str, folder: Path) -> list[str]:
    """Lines of output, without their times."""
    fleetlog.Client(target).download_artifacts(run_id, "captured/console", folder)
    parts = sorted(folder.rglob("*.log"))
    return [line.split(" ", 1)[1] for part in parts for line in part.read_text().splitlines()]


def test_a_script_records_code_environment_and_output(embedded_target: str, experiment: str, tmp_path: Path) -> None:
    done = train(
        f"""
        from fleetlog._capture import recorder
        recorder.END_SECONDS = 60.0
        print("before")
        with fleetlog.start_run({experiment!r}, capture=True, tags={{"host.name": "mine"}}) as run:
            print("epoch 1")
            for percent in range(101):
                sys.stderr.write(f"\\r{{percent}}%")
            sys.stderr.write("\\n")
            run.log({{"loss": 1.0}})
        print(json.dumps(run.id))
        """,
        tmp_path,
        embedded_target,
    )
    assert done.returncode == 0, done.stderr
    run_id = said(done)
    view = ended(embedded_target, run_id)
    assert view.problems == []
    assert view.tags["host.name"] == "mine"
    assert view.tags["python.version"]
    assert view.tags["mlflow.source.name"] == str(tmp_path / "train.py")
    files = files_of(embedded_target, run_id)
    assert {"captured/code/train.py", "captured/environment.json", "captured/requirements.txt"} <= set(files)
    assert console_of(embedded_target, run_id, tmp_path / "got") == ["stdout epoch 1", "stderr 100%"]
    assert done.stdout.startswith("before\nepoch 1\n")
    assert done.stderr.count("100%") == 1


def test_nothing_is_recorded_when_it_is_switched_off_nor_beside_a_writer_that_is_given(
    embedded_target: str, experiment: str
) -> None:
    with fleetlog.start_run(experiment, capture=False, target=embedded_target) as off:
        print("unseen")
    with fleetlog.start_run(
        experiment, capture=True, target=embedded_target, run_id="0" * 31 + "7", writer_id="0" * 31 + "8"
    ) as given:
        print("unseen")
    for run in (off, given):
        view = fleetlog.Client(embedded_target).get_run(run)
        assert view.tags == {}
        assert files_of(embedded_target, run.id) == []


def test_an_exception_that_ends_a_script_is_in_its_output(
    embedded_target: str, experiment: str, tmp_path: Path
) -> None:
    done = train(
        f"""
        run = fleetlog.start_run({experiment!r}, capture=["console"])
        print(json.dumps(run.id))
        raise RuntimeError("out of luck")
        """,
        tmp_path,
        embedded_target,
    )
    run_id = said(done)
    assert ended(embedded_target, run_id).state == "FAILED"
    assert console_of(embedded_target, run_id, tmp_path / "got")[-1] == "stderr RuntimeError: out of luck"


def test_runs_within_runs_threads_and_forked_children(embedded_target: str, experiment: str, tmp_path: Path) -> None:
    """The outer one has the output of all of its time; a child's is its own, and nothing is doubled."""
    done = train(
        f"""
        import threading
        outer = fleetlog.start_run({experiment!r}, capture=["console"])
        print("outer")
        inner = fleetlog.start_run({experiment!r}, parent=outer, capture=["console"])
        again = fleetlog.start_run({experiment!r}, run_id=inner.id, capture=["console"])
        thread = threading.Thread(target=print, args=("thread",))
        thread.start()
        thread.join()
        child = os.fork()
        if not child:
            print("child", flush=True)
            inner.log({{"loss": 1.0}})
            os._exit(0)
        os.waitpid(child, 0)
        again.finish()
        inner.finish()
        print("outer again")
        outer.finish()
        assert "write" not in vars(sys.stdout)
        print("behind")
        print(json.dumps([outer.id, inner.id]))
        """,
        tmp_path,
        embedded_target,
    )
    assert done.returncode == 0, done.stderr
    outer, inner = said(done)
    ended(embedded_target, outer)
    assert done.stdout.splitlines()[:-1] == ["outer", "thread", "child", "outer again", "behind"]
    assert console_of(embedded_target, outer, tmp_path / "outer") == [
        "stdout outer", "stdout thread", "stdout outer again",
    ]  # fmt: skip
    assert console_of(embedded_target, inner, tmp_path / "inner") == ["stdout thread"]
    assert len([file for file in files_of(embedded_target, inner) if "console" in file]) == 1


def test_the_machines_metrics_have_steps_of_their_own_and_the_writers_rank(
    embedded_target: str, experiment: str, tmp_path: Path
) -> None:
    run = fleetlog.start_run(experiment, rank=2, capture={"system": 1, "console": False}, target=embedded_target)
    run.log({"loss": 1.0})
    run.flush()
    client = fleetlog.Client(embedded_target)
    key = "system/cpu_utilization_percentage"
    reached(lambda: (one := client.get_run(run).metrics).get(key) is not None and "loss" in one)
    series = client.read_series([run], ["system/process_memory_megabytes"], per_rank=True)[0]
    assert series.rank == 2
    assert series.steps[0] == 0
    assert series.values[0] > 1
    run.log({"loss": 2.0})
    run.finish()
    assert steps_of(client, run) == [0, 1]
    with fleetlog.start_run(experiment, run_id=run.id, resume=True, capture=False, target=embedded_target) as again:
        again.log({"loss": 3.0})
    assert steps_of(client, run) == [0, 1, 2]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends waits for its inputs, however slow the machine is."""
    monkeypatch.setattr(recorder, "END_SECONDS", 60.0)


@pytest.mark.usefixtures("patient")
def test_a_launchers_rank_is_taken_and_the_first_rank_alone_tells_of_the_environment(
    embedded_target: str, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in ("1", "0"):
        monkeypatch.setenv("RANK", rank)
        with fleetlog.start_run(
            experiment, key="job", resume=True, capture=["rank", "environment"], target=embedded_target
        ) as run:
            run.log({f"loss_{rank}": 1.0})
        view = fleetlog.Client(embedded_target).get_run(run)
        assert ("launcher.world_size" in view.tags) == (rank == "0")
        (series,) = fleetlog.Client(embedded_target).read_series([run], [f"loss_{rank}"], per_rank=True)
        assert series.rank == int(rank)
    with fleetlog.start_run(experiment, rank=7, capture=["rank"], target=embedded_target) as run:
        run.log({"loss": 1.0})
    (series,) = fleetlog.Client(embedded_target).read_series([run], ["loss"], per_rank=True)
    assert series.rank == 7


@pytest.mark.usefixtures("patient")
def test_who_joins_a_run_that_is_there_tells_nothing_of_itself_and_who_comes_first_does(
    embedded_target: str, experiment: str
) -> None:
    on: Any = ["environment"]
    made = fleetlog.start_run(experiment, capture=False, target=embedded_target)
    made.flush()
    with fleetlog.start_run(experiment, run_id=made.id, capture=on, target=embedded_target):
        pass
    made.finish()
    assert fleetlog.Client(embedded_target).get_run(made).tags == {}
    with fleetlog.start_run(experiment, key="first", capture=on, target=embedded_target) as first:
        pass
    assert "python.version" in fleetlog.Client(embedded_target).get_run(first).tags


def test_what_is_late_is_recorded_behind_the_end_of_a_run_which_stays_ended(
    embedded_target: str, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_answer = threading.Event()

    def collected(on: Switches, gpus: object) -> Iterator[Inputs]:
        assert may_answer.wait(120)
        yield Inputs({"git.commit": "abc"}, {"requirements.txt": b"numpy==2\n"})

    monkeypatch.setattr(recorder, "_recorder", recorder.Recorder())
    monkeypatch.setattr(inputs, "collected", collected)
    with fleetlog.start_run(experiment, capture=["environment"], target=embedded_target) as run:
        run.log({"loss": 1.0})
    client = fleetlog.Client(embedded_target)
    ended_at = client.get_run(run).end_time
    may_answer.set()
    reached(lambda: "git.commit" in client.get_run(run).tags)
    view = client.get_run(run)
    assert (view.state, view.end_time, view.problems) == ("FINISHED", ended_at, [])
    reached(lambda: files_of(embedded_target, run.id) == ["captured/requirements.txt"])


def test_without_a_server_it_waits_in_the_journal_with_everything_else(experiment: str, tmp_path: Path) -> None:

    script = f"""
    from fleetlog._capture import recorder
    recorder.END_SECONDS = 60.0
    with fleetlog.start_run({experiment!r}, capture=True) as run:
        print("hello")
        run.log({{"loss": 1.0}})
    run.flush(level="local")
    """
    offline = {**environment("127.0.0.1:1"), "FLEETLOG_MODE": "offline"}
    done = subprocess.run(
        command(script, tmp_path), env=offline, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "hello\n"
    journal = b"".join(path.read_bytes() for path in Path(offline["FLEETLOG_JOURNAL"]).rglob("*") if path.is_file())
    assert b"stdout hello" in journal
    assert b"captured/requirements.txt" in journal
