"""What a run lost can be read from the run."""

from __future__ import annotations

from pathlib import Path

from tests.client.processes import ended, said, train


def test_points_lost_to_a_full_buffer_are_a_problem_of_the_run(embedded_target: str, tmp_path: Path) -> None:
    done = train(
        """
        from fleetlog._delivery import registry as deliveries
        from fleetlog._transport.connection import connection_to
        from fleetlog._delivery.delivery import Delivery
        from fleetlog._delivery.outbox import Outbox
        target = os.environ["FLEETLOG_TARGET"]
        deliveries._deliveries[target] = Delivery(connection_to(target), Outbox(max_bytes=50_000))
        with fleetlog.start_run("losses") as run:
            for step in range(20_000):
                run.log({"x": 1.0}, step=step)
        print(json.dumps(run.id))
        """,
        tmp_path,
        embedded_target,
    )
    assert "the buffer is full" in done.stderr
    view = ended(embedded_target, said(done))
    assert view.state == "FINISHED"
    kept = view.summary("x").count
    assert 0 < kept < 20_000
    assert {problem.reason for problem in view.problems} == {"BUFFER_FULL"}
    assert sum(problem.points for problem in view.problems) == 20_000 - kept


def test_what_was_no_number_is_a_problem_of_the_run(embedded_target: str, tmp_path: Path) -> None:
    done = train(
        """
        with fleetlog.start_run("losses") as run:
            for step in range(10):
                run.log({"x": 1.0, "text": "abc", "a//b": 1.0}, step=step)
            run.log({"x": 1.0}, step=1 << 70)
        print(json.dumps(run.id))
        """,
        tmp_path,
        embedded_target,
    )
    assert "metric 'text' is not a number" in done.stderr
    view = ended(embedded_target, said(done))
    assert view.summary("x").count == 10
    told = {problem.reason: problem.points for problem in view.problems}
    assert told == {"NOT_A_NUMBER": 10, "KEY_INVALID": 10, "STEP_INVALID": 1}


def test_a_process_whose_writer_id_was_used_before_is_told(embedded_target: str, tmp_path: Path) -> None:
    body = """
        import logging, uuid
        logging.basicConfig()
        given = {"run_id": uuid.UUID(int=int.from_bytes(b"used-writers-run", "big")), "writer_id": uuid.UUID(int=77)}
        run = fleetlog.start_run("losses", **given)
        for step in range(10):
            run.log({"x": VALUE}, step=step)
        run.flush(level="applied")
        print(json.dumps(run.id), flush=True)
        os._exit(0)  # the run goes on
        """
    first = train(body.replace("VALUE", "1.0"), tmp_path, embedded_target)
    assert "writer id" not in first.stderr
    again = train(body.replace("VALUE", "2.0"), tmp_path, embedded_target)
    assert "Two processes with one writer id?" in again.stderr
