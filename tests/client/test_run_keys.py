"""Runs that a key names: one run in every process that gives it, whatever starts first."""

from __future__ import annotations

from typing import Any

import fleetlog
import pytest
from fleetlog_core.ids import ID_BYTES, keyed_run_id, milliseconds_of


def test_the_same_key_in_the_same_experiment_is_the_same_run_and_no_other() -> None:
    known = keyed_run_id("default", "sweep", "job-1")
    assert known == keyed_run_id("default", "sweep", "job-1")
    assert len(known) == ID_BYTES
    others = [("default", "sweep", "job-2"), ("default", "sweepjob", "-1"), ("other", "sweep", "job-1")]
    assert len({known, *(keyed_run_id(*one) for one in others)}) == 4


def test_the_id_of_a_key_never_changes() -> None:
    """Runs of before are found by it: these digits are as good as released."""
    assert keyed_run_id("default", "Default", "slurm-4711").hex() == "ff000000000089c48d4084f07a9759d4"


def test_ids_of_keys_are_of_their_own_version_behind_all_others() -> None:
    known = keyed_run_id("default", "sweep", "é")
    assert (known[6] >> 4, known[8] >> 6) == (8, 2)
    assert milliseconds_of(known) == 0xFF00_0000_0000


@pytest.mark.parametrize("wrong", [5, "", "x" * 501, "a\nb", b"x"])
def test_a_key_that_can_not_be_is_refused_by_its_name(wrong: Any) -> None:
    with pytest.raises(fleetlog.InvalidArgument) as error:
        fleetlog.start_run(key=wrong)
    assert error.value.violations[0].field == "key"


def test_a_run_has_an_id_or_a_key(embedded_target: str) -> None:
    with pytest.raises(fleetlog.InvalidArgument, match="give one of run_id and key"):
        fleetlog.start_run(key="a", run_id="0" * 32, target=embedded_target)


def test_writers_of_one_key_write_to_one_run_and_a_job_goes_on_with_it(embedded_target: str, experiment: str) -> None:
    first = fleetlog.start_run(experiment, key="job 7", rank=0, target=embedded_target)
    second = fleetlog.start_run(experiment, key="job 7", rank=1, target=embedded_target)
    with fleetlog.start_run(f"{experiment} else", key="job 7", target=embedded_target) as elsewhere:
        assert first.id == second.id != elsewhere.id
    first.log({"x": 1.0})
    second.log({"y": 2.0})
    second.flush()
    first.finish("KILLED")
    client = fleetlog.Client(embedded_target)
    view = client.get_run(first)
    assert (view.name, view.tags["fleetlog.key"], view.state) == ("job 7", "job 7", "RUNNING")
    assert view.metrics == {"x": 1.0, "y": 2.0}
    second.finish()
    assert client.get_run(first).state == "KILLED"
    again = fleetlog.start_run(experiment, key="job 7", resume=True, target=embedded_target)
    again.log({"x": 3.0})
    again.finish()
    assert client.get_run(first).state == "FINISHED"
    assert client.read_metric(first, "x").steps.tolist() == [0, 1]
    assert [run.id for run in client.search_runs("tags.`fleetlog.key` = 'job 7'", experiments=experiment)] == [first.id]


def test_the_latest_runs_are_found_beside_keyed_ones(embedded_target: str, experiment: str) -> None:
    """Their ids tell no time: pages by start time hold, whichever ids the runs have."""
    ids = []
    for number in range(6):
        key = f"job {number}" if number % 2 else None
        start = 1_700_000_000_000 + number
        with fleetlog.start_run(experiment, key=key, start_time=start, target=embedded_target) as run:
            ids.append(run.id)
    client = fleetlog.Client(embedded_target)
    assert [run.id for run in client.search_runs(experiments=experiment, limit=4)] == ids[:1:-1]
    assert [run.id for run in client.stream_runs(experiments=experiment)] == ids[::-1]
