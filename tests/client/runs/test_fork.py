"""fork: the child is one more writer with a channel of its own; parent and child complete; nobody hangs."""

from __future__ import annotations

from pathlib import Path

import fleetlog
import pytest

from tests.client.processes import ended, said, train, wait_for
from tests.faults.sizes import sized


def test_parent_and_child_write_side_by_side(embedded_target: str, tmp_path: Path) -> None:
    done = train(
        """
        run = fleetlog.start_run("fork")
        for step in range(1000):
            run.log({"parent": 1.0}, step=step)
        run.flush()
        pid = os.fork()
        if pid == 0:
            for step in range(500):
                run.log({"child": 2.0}, step=step)
            sys.exit(0)
        for step in range(1000, 2000):
            run.log({"parent": 1.0}, step=step)
        _, status = os.waitpid(pid, 0)
        # The child's exit ended its own part, not the run.
        state = fleetlog.Client().get_run(run.id).state
        run.finish()
        print(json.dumps([run.id, status, state]))
        """,
        tmp_path,
        embedded_target,
    )
    assert done.returncode == 0, done.stderr
    run_id, status, state = said(done)
    assert (status, state) == (0, "RUNNING")
    view = ended(embedded_target, run_id)
    assert view.state == "FINISHED"
    assert view.metric("parent").steps.tolist() == list(range(2000))
    assert view.metric("child").steps.tolist() == list(range(500))
    assert view.problems == []


def test_forks_amid_logging_lose_nothing_and_hang_nowhere(embedded_target: str, tmp_path: Path) -> None:
    forks, at_once = sized(16, 500), 4
    done = train(
        f"""
        import threading
        run, forks, over = fleetlog.start_run("forks"), {forks}, threading.Event()
        steps = 0

        def work():
            global steps
            while not over.is_set():
                run.log({{"parent": 1.0}}, step=steps)
                steps += 1
                over.wait(0.001)

        thread = threading.Thread(target=work)
        thread.start()
        children, codes = [], []
        for number in range(forks):
            pid = os.fork()
            if pid == 0:
                run.log({{"child": 1.0}}, step=number)
                if number % 2:
                    os._exit(0)
                sys.exit(0)
            children.append(pid)
            if len(children) == {at_once}:
                codes += [os.waitpid(child, 0)[1] for child in children]
                children = []
        codes += [os.waitpid(child, 0)[1] for child in children]
        over.set()
        thread.join()
        run.finish()
        print(json.dumps([run.id, steps, codes]))
        """,
        tmp_path,
        embedded_target,
        timeout=sized(300, 3_600),
    )
    assert done.returncode == 0, done.stderr
    run_id, steps, codes = said(done)
    assert codes == [0] * forks
    view = ended(embedded_target, run_id)
    assert view.metric("parent").steps.tolist() == list(range(steps))
    assert view.metric("child").steps.tolist() == list(range(forks))
    assert view.problems == []
    assert view.state == "FINISHED"


def test_a_child_that_leaves_the_block_leaves_the_run_to_its_parent(embedded_target: str, tmp_path: Path) -> None:
    done = train(
        """
        with fleetlog.start_run("fork block") as run:
            run.log({"x": 1.0}, step=0)
            pid = os.fork()
            if pid == 0:
                run.log({"x": 1.0}, step=1)
                raise RuntimeError("the child failed")
            os.waitpid(pid, 0)
            run.log({"x": 1.0}, step=2)
        print(json.dumps(run.id))
        """,
        tmp_path,
        embedded_target,
    )
    assert done.returncode == 0, done.stderr
    view = ended(embedded_target, said(done))
    assert view.state == "FINISHED"
    assert view.metric("x").steps.tolist() == [0, 1, 2]


def test_a_pool_of_forked_workers_logs_what_each_of_them_does(embedded_target: str, tmp_path: Path) -> None:
    done = train(
        """
        import multiprocessing
        run = fleetlog.start_run("pool")

        def work(step):
            run.log({"loss": float(step)}, step=step)
            return os.getpid()

        if __name__ == "__main__":
            context = multiprocessing.get_context("fork")
            run.log({"before": 1.0}, step=0)
            pool = context.Pool(4)
            pids = pool.map(work, range(200), chunksize=5)
            pool.close()
            pool.join()
            run.finish()
            print(json.dumps(run.id))
        """,
        tmp_path,
        embedded_target,
    )
    assert done.returncode == 0, done.stderr
    view = ended(embedded_target, said(done))
    assert view.state == "FINISHED"
    assert view.metric("loss").steps.tolist() == list(range(200))


def test_workers_that_are_terminated_deliver_first(embedded_target: str, tmp_path: Path) -> None:
    done = train(
        """
        import multiprocessing
        run = fleetlog.start_run("terminated pool")

        def work(step):
            run.log({"loss": float(step)}, step=step)

        if __name__ == "__main__":
            for first in range(0, 250, 50):
                with multiprocessing.get_context("fork").Pool(2) as pool:
                    pool.map(work, range(first, first + 50))
            run.finish()
            print(json.dumps(run.id))
        """,
        tmp_path,
        embedded_target,
    )
    assert done.returncode == 0, done.stderr
    view = ended(embedded_target, said(done))
    assert view.metric("loss").steps.tolist() == list(range(250))


def test_a_fork_amid_calls_waits_for_them_and_nothing_is_said(embedded_target: str, tmp_path: Path) -> None:
    done = train(
        """
        import threading
        run = fleetlog.start_run("fork amid calls")
        over = threading.Event()

        def produce():
            for step in range(1_000_000):
                if over.is_set():
                    break
                run.log({"parent": 1.0}, step=step)
                if step % 100 == 0:
                    fleetlog.Client().experiments()

        producer = threading.Thread(target=produce)
        producer.start()
        statuses = []
        for number in range(10):
            pid = os.fork()
            if pid == 0:
                for step in range(20):
                    run.log({"child": 1.0}, step=20 * number + step)
                sys.exit(0)
            statuses.append(os.waitpid(pid, 0)[1])
        over.set()
        producer.join()
        run.finish()
        print(json.dumps([run.id, statuses]))
        """,
        tmp_path,
        embedded_target,
    )
    # gRPC would warn that it did not prepare itself for the fork.
    assert (done.returncode, done.stderr) == (0, "")
    run_id, statuses = said(done)
    assert statuses == [0] * 10
    assert ended(embedded_target, run_id).metric("child").steps.tolist() == list(range(200))


def test_a_fork_amid_streams_and_watches_waits_for_them_and_nothing_is_said(
    embedded_target: str, experiment: str, tmp_path: Path
) -> None:
    """A process that only reads: nobody else would wait for its streams."""
    with fleetlog.start_run(experiment, target=embedded_target) as run:
        run.log({"x": 1.0}, step=0)
    fleetlog.flush(level="applied", target=embedded_target)
    done = train(
        f"""
        import threading
        client = fleetlog.Client()
        over = threading.Event()
        watching = threading.Barrier(3)
        seen = []

        def stream():
            watching.wait()
            while not over.is_set():
                seen.append(len(list(client.stream_runs(experiments=[{experiment!r}]))))

        def watch():
            changes = client.watch_runs(experiments=[{experiment!r}])
            next(changes)
            watching.wait()
            next(change for change in changes if change.runs[0].tags.get("over"))

        threads = [threading.Thread(target=stream), threading.Thread(target=watch)]
        for thread in threads:
            thread.start()
        watching.wait()
        statuses = []
        for number in range(10):
            pid = os.fork()
            if pid == 0:
                os._exit(0 if len(list(client.stream_runs(experiments=[{experiment!r}]))) == 1 else 1)
            statuses.append(os.waitpid(pid, 0)[1])
        over.set()
        client.update_run({run.id!r}, tags={{"over": "yes"}})
        for thread in threads:
            thread.join()
        print(json.dumps([statuses, sorted(set(seen))]))
        """,
        tmp_path,
        embedded_target,
    )
    # gRPC would warn that it did not prepare itself for the fork.
    assert (done.returncode, done.stderr) == (0, "")
    assert said(done) == [[0] * 10, [1]]


def test_a_client_reads_in_the_child_what_the_parent_wrote(embedded_target: str, tmp_path: Path) -> None:
    done = train(
        """
        client = fleetlog.Client()
        run = fleetlog.start_run("fork reads")
        for step in range(1000):
            run.log({"x": 1.0}, step=step)
        run.flush()
        pid = os.fork()
        if pid == 0:
            os._exit(0 if client.get_run(run.id).summary("x").count == 1000 else 1)
        print(json.dumps(os.waitpid(pid, 0)[1]))
        """,
        tmp_path,
        embedded_target,
    )
    assert done.returncode == 0, done.stderr
    assert said(done) == 0


FORKED_WORKERS = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
FORK = multiprocessing.get_context("fork")

def work(number):
    run = fleetlog.start_run("forked workers", f"{HOW} {number}")
    for step in range(5):
        run.log({"loss": float(number)}, step=step)
    if number == 9:
        raise RuntimeError("x")
    return number

fleetlog.Client().create_experiment("forked workers", exist_ok=True)
"""


@pytest.mark.parametrize(
    ("how", "script", "states"),
    [
        (
            "Process",
            "workers = [FORK.Process(target=work, args=(n,)) for n in (0, 1, 9)]\n"
            "for one in workers: one.start()\nfor one in workers: one.join()",
            {"Process 0": "FINISHED", "Process 1": "FINISHED", "Process 9": "FAILED"},
        ),
        ("Pool", "with FORK.Pool(2) as pool: pool.map(work, range(2))", {f"Pool {n}": "FINISHED" for n in range(2)}),
        (
            "executor",
            "with ProcessPoolExecutor(2, mp_context=FORK) as pool: list(pool.map(work, range(2)))",
            {f"executor {n}": "FINISHED" for n in range(2)},
        ),
        (
            "os._exit",
            "for code in (0, 5):\n    pid = os.fork()\n    if pid == 0: work(code) + os._exit(code)\n"
            "    os.waitpid(pid, 0)",
            {"os._exit 0": "FINISHED", "os._exit 5": "FAILED"},
        ),
    ],
)
def test_a_run_that_a_forked_worker_opens_ends_with_it(
    embedded_target: str, tmp_path: Path, how: str, script: str, states: dict[str, str]
) -> None:
    # The parent writes too, so there is something that must be left behind.
    head = f"HOW = {how!r}\n{FORKED_WORKERS}\nfleetlog.start_run('forked workers', 'parent').finish()\n"
    done = train(head + script, tmp_path, embedded_target)
    assert done.returncode == 0, done.stderr
    client = fleetlog.Client(embedded_target)
    runs = wait_for(
        lambda: client.search_runs(f"attributes.name LIKE '{how} %'", experiments=["forked workers"]),
        lambda runs: {run.name: run.state for run in runs} == states,
    )
    assert {run.name: run.state for run in runs} == states
    assert [len(run.metric("loss")) for run in runs] == [5] * len(states)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_run_that_is_passed_to_another_process_is_joined_there(
    embedded_target: str, tmp_path: Path, method: str
) -> None:
    done = train(
        f"""
        import multiprocessing

        def work(run, number):
            run.log({{"loss": float(number)}}, step=number)

        if __name__ == "__main__":
            context = multiprocessing.get_context({method!r})
            with fleetlog.start_run("passed on") as run:
                workers = [context.Process(target=work, args=(run, number)) for number in range(2)]
                for one in workers:
                    one.start()
                for one in workers:
                    one.join()
                state = fleetlog.Client().get_run(run.id).state
                run.log({{"loss": 2.0}}, step=2)
            print(json.dumps([run.id, state]))
        """,
        tmp_path,
        embedded_target,
    )
    assert done.returncode == 0, done.stderr
    run_id, state = said(done)
    assert state == "RUNNING"
    view = ended(embedded_target, run_id)
    assert view.state == "FINISHED"
    assert view.metric("loss").steps.tolist() == [0, 1, 2]
