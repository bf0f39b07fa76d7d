"""Processes that die, without a server or beside one, and `fleetlog sync` after them."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fleetlog
import pytest

from tests.client.cli.terminal import piped
from tests.client.processes import command, ended, environment, said, train, wait_for
from tests.faults.sizes import sized
from tests.ports import free_port
from tests.waiting import reached

TRAINER = """
import itertools, random
pause, forks = {pause}, {forks}
run = fleetlog.start_run("killed trainers", target={target!r})
with open({folder!r} + "/run", "w") as file:
    file.write(run.id)
who = 0
for child in range(forks):
    if os.fork() == 0:
        who = child + 1
        break
# What `flush` promised is noted: a file of one byte a step.
kept = open({folder!r} + f"/kept-{{who}}", "wb", 0)
lot = max(1, min(100, int(0.2 / pause))) if pause else 1_000
for first in itertools.count(0, lot):
    for step in range(first, first + lot):
        run.log({{f"x{{who}}": float(step)}}, step=step)
        if pause:
            time.sleep(pause)
    run.flush(level="local")
    kept.write(b"." * lot)
"""
TRIES = sized(1, 50)


def kept(folder: Path) -> dict[int, int]:
    """Steps that `flush` promised to each writer of the run."""
    return {int(file.name.partition("-")[2]): file.stat().st_size for file in folder.glob("kept-*")}


@pytest.mark.parametrize(
    ("name", "pause", "forks"), [("flat out", 0, 0), ("50 Hz", 0.02, 0), ("1 Hz", 1.0, 0), ("forks", 0.001, 2)]
)
@pytest.mark.parametrize("attempt", range(TRIES))
def test_what_flush_kept_of_a_trainer_that_is_killed_is_delivered_by_sync(
    embedded_target: str, tmp_path: Path, name: str, pause: float, forks: int, attempt: int
) -> None:
    chance = random.Random(f"{name} {attempt}")
    # Beside a server some of it is delivered when it dies, and some is not.
    target = chance.choice([embedded_target, f"127.0.0.1:{free_port()}"]) if attempt else f"127.0.0.1:{free_port()}"
    script = TRAINER.format(pause=pause, forks=forks, target=target, folder=str(tmp_path))
    surroundings = environment(target)
    process = subprocess.Popen(
        command(script, tmp_path), env=surroundings, stderr=subprocess.DEVNULL, start_new_session=True
    )
    enough = chance.randrange(1, 2 if pause == 1.0 else 500)
    with process:
        reached(lambda: len(kept(tmp_path)) == forks + 1 and min(kept(tmp_path).values()) >= enough, 120.0)
        os.killpg(process.pid, signal.SIGKILL)
    promised = kept(tmp_path)
    run_id = (tmp_path / "run").read_text()
    journals = surroundings["FLEETLOG_JOURNAL"]
    answer = piped(embedded_target, "sync", journals, "--target", embedded_target)
    assert (answer.code, answer.err) == (0, "")
    assert list(Path(journals).iterdir()) == []
    client = fleetlog.Client(embedded_target)
    for who, steps in promised.items():
        found = wait_for(
            lambda: [one.steps.tolist() for one in client.read_series([run_id], [f"x{who}"])],  # noqa: B023
            lambda series: bool(series) and len(series[0]) >= steps,  # noqa: B023
        )
        assert found[0] == list(range(len(found[0])))
        assert len(found[0]) >= steps


def test_a_run_that_never_saw_a_server_is_told_and_delivered_whole(
    embedded_target: str, tmp_path: Path, experiment: str
) -> None:
    surroundings = {**environment(embedded_target), "FLEETLOG_MODE": "offline"}
    script = f"""
    with fleetlog.start_run({experiment!r}, "offline", params={{"lr": 0.1}}) as run:
        for step in range(100):
            run.log({{"x": float(step)}}, step=step)
        with open("big", "wb") as file:
            file.truncate(2 << 20)
        run.log_artifact("big")
        os.remove("big")
        try:
            run.flush(level="durable")
        except fleetlog.FailedPrecondition as error:
            print(error.reason)
    print(json.dumps(run.id))
    """
    done = subprocess.run(
        command(script, tmp_path), env=surroundings, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[0] == "OFFLINE"
    assert "100 points and 1 file (big) for" in done.stderr
    assert "`fleetlog sync` delivers them" in done.stderr
    run_id, journals = said(done), surroundings["FLEETLOG_JOURNAL"]
    assert not fleetlog.Client(embedded_target).get_runs([run_id])
    answer = piped(embedded_target, "sync", journals, "--dry-run", "--json")
    assert answer.code == 0
    (journal,) = json.loads(answer.out)["journals"]
    (run,) = journal["runs"]
    assert (run["run_id"], run["name"], run["experiment"]) == (run_id, "offline", experiment)
    assert (run["points"], run["files"]) == (100, 1)
    copied = tmp_path / "copied"
    shutil.copytree(journals, copied)
    for folder in (copied, journals):
        assert piped(embedded_target, "sync", str(folder), "--target", embedded_target).code == 0
    view = ended(embedded_target, run_id)
    assert (view.state, view.params["lr"], view.summary("x").count) == ("FINISHED", 0.1, 100)
    assert view.experiment_id == fleetlog.Client(embedded_target).get_experiment(experiment).id
    assert view.problems == []
    (artifact,) = fleetlog.Client(embedded_target).list_artifacts(run_id)
    assert (artifact.path, artifact.size_bytes) == ("big", 2 << 20)


def test_a_new_process_tells_once_that_journals_wait(embedded_target: str, tmp_path: Path) -> None:
    surroundings = environment(embedded_target)
    script = "run = fleetlog.start_run('waiting')\nrun.log({'x': 1.0})\n"
    left = {**surroundings, "FLEETLOG_MODE": "offline"}
    subprocess.run(command(script, tmp_path), env=left, capture_output=True, check=True)
    told = subprocess.run(
        command(script + script, tmp_path), env=surroundings, capture_output=True, text=True, check=True
    )
    assert told.stderr.count("a journal waits") == 1
    assert "run `fleetlog sync`" in told.stderr
    assert len(list(Path(surroundings["FLEETLOG_JOURNAL"]).iterdir())) == 1


def test_a_process_that_is_killed_when_all_is_delivered_leaves_nothing_to_tell_of(
    embedded_target: str, tmp_path: Path
) -> None:
    surroundings = environment(embedded_target)
    script = "run = fleetlog.start_run('delivered')\nrun.log({'x': 1.0})\nrun.flush()\n"
    killed = subprocess.run(
        command(f"{script}os.kill(os.getpid(), signal.SIGKILL)\n", tmp_path), env=surroundings, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    told = subprocess.run(command(script, tmp_path), env=surroundings, capture_output=True, text=True, check=True)
    assert told.stderr == ""


def test_a_process_that_is_alive_keeps_its_journal_from_sync(embedded_target: str, tmp_path: Path) -> None:
    surroundings = {**environment(embedded_target), "FLEETLOG_MODE": "offline"}
    script = """
    run = fleetlog.start_run("alive")
    run.log({"x": 1.0})
    run.flush(level="local")
    print("ready", flush=True)
    sys.stdin.read()
    """
    process = subprocess.Popen(
        command(script, tmp_path),
        env=surroundings,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        journals = surroundings["FLEETLOG_JOURNAL"]
        answer = piped(embedded_target, "sync", journals, "--json")
        assert answer.code == 0
        (in_use,) = json.loads(answer.out)["in_use"]
        assert piped(embedded_target, "sync", in_use).code == 1
        process.communicate()
    assert piped(embedded_target, "sync", journals, "--target", embedded_target).code == 0


def test_two_that_sync_at_once_and_a_copy_deliver_everything_once(embedded_target: str, tmp_path: Path) -> None:
    surroundings = {**environment(embedded_target), "FLEETLOG_MODE": "offline"}
    script = """
    run = fleetlog.start_run("two syncs")
    for step in range(20_000):
        run.log({"x": float(step)}, step=step)
    print(json.dumps(run.id))
    """
    runs = [
        said(subprocess.run(command(script, tmp_path), env=surroundings, capture_output=True, text=True, check=True))
        for _ in range(3)
    ]
    journals, copied = surroundings["FLEETLOG_JOURNAL"], tmp_path / "copied"
    shutil.copytree(journals, copied)
    folders = [journals, journals, str(copied)]
    with ThreadPoolExecutor() as pool:
        answers = list(
            pool.map(lambda folder: piped(embedded_target, "sync", folder, "--target", embedded_target), folders)
        )
    assert [(answer.code, answer.err) for answer in answers] == [(0, "")] * 3
    client = fleetlog.Client(embedded_target)
    for run in runs:
        assert ended(embedded_target, run).summary("x").count == 20_000
        assert client.read_metric(run, "x").steps.tolist() == list(range(20_000))
    assert [one for folder in (Path(journals), copied) for one in folder.iterdir()] == []


def test_without_a_journal_what_is_not_delivered_is_lost_and_said_to_be(tmp_path: Path) -> None:
    script = "run = fleetlog.start_run('off')\nrun.log({'x': 1.0})\n"
    target = f"127.0.0.1:{free_port()}"
    off = {**environment(target), "FLEETLOG_JOURNAL": "off"}
    done = subprocess.run(command(script, tmp_path), env=off, capture_output=True, text=True, check=True)
    assert "1 points for" in done.stderr
    assert "were not delivered and are lost" in done.stderr


def test_a_process_that_delivers_all_leaves_no_file(embedded_target: str, tmp_path: Path) -> None:
    done = train(
        """
        with fleetlog.start_run("clean") as run:
            run.log({"x": 1.0})
            run.flush(level="local")
        print(json.dumps(os.environ["FLEETLOG_JOURNAL"]))
        """,
        tmp_path,
        embedded_target,
    )
    assert done.stderr == ""
    assert list(Path(said(done)).iterdir()) == []


@pytest.mark.parametrize("mode", ["offlien", "1"])
def test_a_mode_that_there_is_not_is_refused_at_the_start(
    embedded_target: str, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("FLEETLOG_MODE", mode)
    with pytest.raises(fleetlog.InvalidArgument, match="give online or offline"):
        fleetlog.start_run(target=f"127.0.0.1:{free_port()}")
