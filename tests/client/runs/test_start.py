"""start_run: an argument is taken as it is meant, or refused at once by its name; runs that go on, go on behind."""

from __future__ import annotations

import copy
import pickle
import uuid
from pathlib import Path
from typing import Any

import fleetlog
import numpy as np
import pytest
from fleetlog._runs.start_arguments import rank_of
from fleetlog_core.errors import InvalidArgument

from tests.client.processes import said, train


@pytest.mark.parametrize(
    "wrong",
    [
        {"experiment": 5},
        {"name": 5},
        {"params": [1]},
        {"tags": "a"},
        {"parent": 5},
        {"run_id": 5},
        {"run_id": "x"},
        {"resume": "yes", "run_id": "0" * 32},
        {"rank": "three"},
        {"rank": -1},
        {"rank": 1.5},
        {"rank": True},
        {"rank": 1 << 31},
        {"user": 5},
        {"namespace": 5},
        {"target": 5},
        {"writer_id": "x", "run_id": "0" * 32},
    ],
    ids=str,
)
def test_a_wrong_argument_is_refused_by_its_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument) as error:
        fleetlog.start_run(**wrong)
    name = next(iter(wrong))
    assert error.value.message.startswith(f"{name}: ")
    assert error.value.violations[0].field == name


@pytest.mark.parametrize("rank", [3, "3", " 3 ", np.int64(3), np.uint8(3), 3.0])
def test_a_rank_is_taken_in_every_form_of_a_whole_number(rank: object) -> None:
    assert rank_of(rank) == 3


def test_none_and_ids_in_other_forms_are_taken(embedded_target: str) -> None:
    run_id = uuid.uuid4()
    with fleetlog.start_run(None, None, run_id=run_id, params=None, target=embedded_target) as run:
        assert run.id == run_id.hex
    client = fleetlog.Client(embedded_target)
    with fleetlog.start_run(parent=client.get_run(run.id), rank="1", target=embedded_target) as child:
        child.log({"x": 1.0})
    assert client.get_run(child.id).parent_id == run.id


@pytest.mark.parametrize("resume", [True, False])
def test_steps_that_are_not_given_go_on_behind_the_last_one(
    embedded_target: str, experiment: str, tmp_path: Path, resume: bool
) -> None:
    """Also behind what another process made durable a moment ago."""
    done = train(
        f"""
        run = fleetlog.start_run({experiment!r})
        for number in range(10):
            run.log({{"loss": float(number), "other": 1.0}})
        run.flush()
        print(json.dumps(run.id), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        tmp_path,
        embedded_target,
    )
    with fleetlog.start_run(experiment, run_id=said(done), resume=resume, target=embedded_target) as run:
        run.log({"loss": 10.0})
        run.log({"loss": 11.0})
    view = fleetlog.Client(embedded_target).get_run(run.id)
    assert view.metric("loss").steps.tolist() == list(range(12))
    assert view.metrics["loss"] == 11.0


def test_errors_views_and_runs_cross_process_borders(embedded_target: str, experiment: str) -> None:
    with fleetlog.start_run(experiment, params={"lr": 0.1}, target=embedded_target) as run:
        run.log({"x": 1.0}, step=0)
        assert copy.deepcopy({"run": run})["run"] is run
        other = pickle.loads(pickle.dumps(run))
        other.log({"x": 2.0}, step=1)
    client = fleetlog.Client(embedded_target)
    with pytest.raises(InvalidArgument) as error:
        client.search_runs("metrics.loss <")
    for again in (pickle.loads(pickle.dumps(error.value)), copy.copy(error.value)):
        assert type(again) is InvalidArgument
        assert (str(again), again.reason, again.violations) == (
            str(error.value), error.value.reason, error.value.violations
        )  # fmt: skip
    client.flush()
    answers: list[Any] = [
        client.get_run(run.id), client.search_runs(experiments=[experiment]), client.read_metric(run.id, "x"),
        client.read_buckets(run.id, "x", 2), client.get_experiment(experiment), client.compare([run.id]),
        client.explain_search("metrics.x < 1"), next(client.watch_runs(experiments=[experiment])),
    ]  # fmt: skip
    for answer in answers:
        assert repr(pickle.loads(pickle.dumps(answer))) == repr(answer)
    view = pickle.loads(pickle.dumps(answers[0]))
    assert view.params == {"lr": 0.1}
    assert view.metric("x").values.tolist() == [1.0, 2.0]
