"""Runs of a source in a server: whole, once, and again."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import fleetlog
import numpy as np
import pytest
from fleetlog._imports.source_ids import run_id_of
from fleetlog.importers import Fork, ImportWriter, Points, Report, SourceExperiment, SourceRun
from fleetlog.importers.source import Unread

from tests.client.importers.memory_source import NOW, MemorySource, dataset, file_of, points, run


def _import(target: str, source: MemorySource) -> Report:
    return ImportWriter(fleetlog.Client(target), source).run()


def _is_here(target: str, source: SourceRun) -> None:
    """All points of the run, by bits, in the order of their steps."""
    client = fleetlog.Client(target)
    wanted: dict[str, list[Points]] = {}
    for piece in source.points():
        wanted.setdefault(piece.key, []).append(piece)
    here = client.get_run(run_id_of(source.id, source.start_time or 0).hex())
    assert here.problems == []
    assert sorted(here.metrics) == sorted(wanted)
    for key, parts in wanted.items():
        steps, values, times = (
            np.concatenate([getattr(one, name) for one in parts]) for name in ("steps", "values", "times")
        )
        order = np.lexsort((times, steps))
        found = here.metric(key)
        assert found.steps.tolist() == steps[order].tolist()
        assert found.values.tobytes() == values[order].tobytes()


@pytest.fixture
def source(experiment: str, tmp_path: Path) -> MemorySource:
    large = tmp_path / "model.bin"
    large.write_bytes(bytes(range(256)) * 8_000)
    small = tmp_path / "notes.txt"
    small.write_text("notes")
    pieces = [points("loss", 900), points("acc", 900, seed=3), points("loss", 500, first=900)]
    return MemorySource(
        [
            run("big", experiment, pieces, params={"lr": 0.1, "model": "gpt2"}, tags={"team": "a"}, user="someone"),
            run("child", experiment, [points("loss", 1)], parent=f"{experiment}/big", params={"seed": 7}),
            run("failed", experiment, [points("loss", 3)], state="FAILED", datasets=[dataset("web")]),
            run("goes on", experiment, [points("loss", 10)], state="RUNNING", end_time=None),
            run("deleted", experiment, [points("loss", 4)], deleted=True),
            run(
                "files", experiment,
                files=lambda: iter([file_of(small, "docs/notes.txt"), file_of(large, "model.bin")]),
            ),
            run("empty", experiment),
        ],
        given_experiments=[SourceExperiment(experiment, {"mlflow.note.content": "all of it"})],
    )  # fmt: skip


def test_all_of_a_source_comes_and_again_it_changes_nothing(
    embedded_target: str, experiment: str, source: MemorySource
) -> None:
    report = _import(embedded_target, source)
    assert report.is_complete, report.faults
    assert (report.runs, report.new_runs, report.points, report.files) == (7, 7, 2_318, 2)
    client = fleetlog.Client(embedded_target)
    for one in source.given:
        _is_here(embedded_target, one)
    runs = {one.name: one for one in client.search_runs(experiments=[experiment], deleted="all")}
    big = runs["big"]
    assert (big.params, big.user, big.state) == ({"lr": 0.1, "model": "gpt2"}, "someone", "FINISHED")
    assert big.tags == {"team": "a", "source_kind": "memory", "source_run_id": f"{experiment}/big"}
    assert (big.start_time.timestamp(), big.end_time and big.end_time.timestamp()) == (NOW / 1000, NOW / 1000 + 60)
    assert runs["child"].parent_id == big.id
    assert (runs["failed"].state, runs["goes on"].state, runs["deleted"].deleted) == ("FAILED", "RUNNING", True)
    assert [(one.name, one.context, one.profile) for one in runs["failed"].datasets] == [("web", "training", "12 rows")]
    files = client.list_artifacts(runs["files"])
    assert [(one.path, one.size_bytes) for one in files] == [("docs/notes.txt", 5), ("model.bin", 2_048_000)]
    assert client.get_experiment(experiment).tags == {"mlflow.note.content": "all of it"}
    again = _import(embedded_target, source)
    assert (again.is_complete, again.runs, again.new_runs, again.points, again.files) == (True, 7, 0, 0, 0)
    for one in source.given:
        _is_here(embedded_target, one)


def test_what_a_run_that_goes_on_has_more_comes_behind(embedded_target: str, experiment: str) -> None:
    first = run("grows", experiment, [points("loss", 300)], state="RUNNING", end_time=None, tags={"note": "first"})
    _import(embedded_target, MemorySource([first]))
    pieces = [points("loss", 300), points("acc", 50), points("loss", 200, first=300)]
    grown = replace(first, points=lambda: iter(pieces), tags={"note": "second"})
    assert _import(embedded_target, MemorySource([grown])).points == 250
    ended = replace(grown, state="KILLED", end_time=NOW + 9)
    assert _import(embedded_target, MemorySource([ended])).points == 0
    _is_here(embedded_target, ended)
    here = fleetlog.Client(embedded_target).search_runs(experiments=[experiment])[0]
    assert (here.state, here.tags["note"], "source_state" in here.tags) == ("KILLED", "second", False)
    more = replace(ended, points=lambda: iter([*pieces, points("loss", 5, first=500)]))
    assert _import(embedded_target, MemorySource([more])).points == 5
    _is_here(embedded_target, more)


def test_what_no_run_can_have_is_left_out_by_itself_and_named(embedded_target: str, experiment: str) -> None:
    odd = Points("odd", np.array([0, 1]), np.array([1.0, 2.0]), np.array([-5, NOW]))
    one = run(
        "odd", experiment, [points("lo\nss", 3), odd, points("loss", 2)],
        params={"long": "x" * 20_000, "lr": 1}, tags={"bad\n": "x"},
    )  # fmt: skip
    twice = run("odd", experiment)
    report = _import(embedded_target, MemorySource([one, twice], left_out=[Unread("events.1", "it is cut short", 17)]))
    assert not report.is_complete
    told = {(fault.where.rpartition("/")[2], fault.count) for fault in report.faults}
    assert told == {
        ("odd, metric lo\nss", 3),
        ("odd, param 'long'", 1),
        ("odd, tag 'bad\\n'", 1),
        ("odd", 1),
        ("events.1", 1),
    }
    assert [(note.count, note.where.rpartition(" ")[2]) for note in report.notes] == [(1, "odd")]
    here = fleetlog.Client(embedded_target).search_runs(experiments=[experiment])[0]
    assert (here.params, sorted(here.metrics)) == ({"lr": 1}, ["loss", "odd"])
    assert report.points == 4


def test_a_fork_goes_on_from_its_origin(embedded_target: str, experiment: str) -> None:
    origin = run("origin", experiment, [points("loss", 10)])
    fork = run("fork", experiment, [points("loss", 4, first=5)], fork=Fork(origin.id, 4), params={"lr": 2})
    lost = run("lost", experiment, [points("loss", 1)], fork=Fork("nowhere", 4))
    report = _import(embedded_target, MemorySource([origin, fork, lost]))
    assert (report.points, [one.where for one in report.faults]) == (15, [f"run {lost.id}"])
    here = {one.name: one for one in fleetlog.Client(embedded_target).search_runs(experiments=[experiment])}
    assert here["fork"].forked_from == (here["origin"].id, 4)
    assert here["fork"].params == {"lr": 2}
    # The steps of `points` are even: 0 0 2 2 4 4 of the origin, and 4 6 6 8 of its own.
    assert here["fork"].metric("loss").steps.tolist() == [0, 0, 2, 2, 4, 4, 4, 6, 6, 8]
    again = _import(embedded_target, MemorySource([origin, fork]))
    assert (again.is_complete, again.points) == (True, 0)


def test_runs_of_a_deleted_experiment_come_and_it_stays_deleted(embedded_target: str, experiment: str) -> None:
    deleted = [SourceExperiment(experiment, {"a": "b"}, deleted=True)]
    one, two = run("one", experiment, [points("loss", 3)], deleted=True), run("two", experiment, [points("loss", 3)])
    client = fleetlog.Client(embedded_target)
    for given in ([one], [one, two]):
        report = _import(embedded_target, MemorySource(given, given_experiments=deleted))
        assert (report.is_complete, report.new_runs) == (True, 1)
        assert client.get_experiment(experiment).deleted
    assert [client.get_run(run_id_of(each.id, NOW).hex()).name for each in (one, two)] == ["one", "two"]


def test_two_imports_at_once_bring_everything_once(embedded_target: str, experiment: str) -> None:
    runs = [run(str(place), experiment, [points("loss", 2_000 + place)]) for place in range(6)]
    runs += [run(f"small {place}", experiment, [points("loss", 1)]) for place in range(20)]
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda _: _import(embedded_target, MemorySource(runs)), range(3)))
    assert [one.faults for one in reports] == [[], [], []]
    for one in runs:
        _is_here(embedded_target, one)


def test_several_imports_at_once_of_a_run_that_grows_bring_each_point_once(
    embedded_target: str, experiment: str
) -> None:
    begun = run("grows", experiment, state="RUNNING", end_time=None, tags={"note": "begun"})
    ended = replace(begun, state="FINISHED", end_time=int(time.time() * 1000), tags={"note": "ended"})

    def seen(count: int) -> SourceRun:
        """The run as one import finds it, which looks a moment after another one."""
        pieces = [points("loss", count), points("acc", count // 2, seed=3)]
        return replace(begun if count < 2_500 else ended, points=lambda: iter(pieces))

    # It is not here; it grew; it ended, and one import still takes it for one that goes on.
    for counts in ((700, 701, 350), (1_000, 1_301, 1_300), (2_499, 2_500, 2_400)):
        with ThreadPoolExecutor(len(counts)) as pool:
            reports = list(pool.map(lambda count: _import(embedded_target, MemorySource([seen(count)])), counts))
        assert [fault for one in reports for fault in one.faults] == []
        _is_here(embedded_target, seen(max(counts)))
    here = fleetlog.Client(embedded_target).search_runs(experiments=[experiment])[0]
    assert (here.state, here.tags["note"], "source_state" in here.tags) == ("FINISHED", "ended", False)
