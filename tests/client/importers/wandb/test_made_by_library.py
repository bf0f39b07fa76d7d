"""Offline folders of the real library at two versions, beside what was told to it."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from fleetlog.importers.json_values import params_of
from fleetlog.importers.source import Fork, SourceError, SourceRun
from fleetlog.importers.wandb.source import WandbSource

from tests.data.importers import make_wandb as made

VERSIONS = sorted(path.name for path in made.HERE.iterdir())


def test_sources_of_two_versions_are_there() -> None:
    assert len(VERSIONS) >= 2


@pytest.mark.parametrize("version", VERSIONS)
def test_every_number_comes_with_its_step_and_its_value(version: str) -> None:
    source, runs = _runs(version)
    assert _points(runs["first001"]) == _told()
    assert source.unread() == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_has_its_config_its_tags_its_times_and_its_state(version: str) -> None:
    run = _runs(version)[1]["first001"]
    assert (run.name, run.experiment, run.state) == ("first", "project", "FINISHED")
    assert run.params == {
        "lr": 0.1, "optimizer.name": "adam", "optimizer.betas": "[0.9, 0.99]", "none": "null", "flag": True, "late": 5,
    }  # fmt: skip
    assert run.tags["tags"] == "x,y"
    assert (run.tags["group"], run.tags["job_type"]) == ("group", "train")
    assert run.tags["mlflow.note.content"] == "a note"
    assert run.tags["summary.verdict"] == "good"
    assert run.start_time is not None
    assert run.end_time is not None
    times = [int(time) for points in run.points() for time in points.times]
    assert run.start_time <= min(times)
    assert max(times) <= run.end_time


@pytest.mark.parametrize("version", VERSIONS)
def test_files_and_what_is_no_number_are_files(version: str) -> None:
    run = _runs(version)[1]["first001"]
    contents = {}
    for file in run.files():
        with file.open() as content:
            contents[file.path] = content.read()
    assert contents["kept.txt"] == b"kept"
    lines = [json.loads(line) for line in contents["history/text.jsonl"].splitlines()]
    assert [(line["step"], line["value"]) for line in lines] == [(step, f"step {step}") for step in range(made.STEPS)]
    (histogram,) = map(json.loads, contents["history/histogram.jsonl"].splitlines())
    assert histogram["step"] == 400
    assert histogram["value"]["_type"] == "histogram"
    assert json.loads(contents["wandb-summary.json"])["best"] == 0.99


@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_that_was_resumed_is_one_run_of_all_its_folders(version: str) -> None:
    run = _runs(version)[1]["second02"]
    assert _points(run) == sorted([("loss", 0, _exact(0.25)), ("loss", 7, _exact(0.125))])
    assert run.state == "FINISHED"
    assert run.params["lr"] == 0.2


@pytest.mark.parametrize("version", VERSIONS)
def test_a_fork_names_its_origin_which_comes_before_it(version: str) -> None:
    runs = _runs(version)[1]
    assert runs["forked03"].fork == Fork(runs["first001"].id, 100)
    assert _points(runs["forked03"]) == [("loss", 101, _exact(0.5))]
    assert list(runs).index("first001") < list(runs).index("forked03")


def test_folders_without_runs_are_no_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="offline-run"):
        list(WandbSource(tmp_path).runs())


def test_nested_configs_are_params_with_dots() -> None:
    assert params_of({"a": {"b": {"c": 1}}, "empty": {}, "list": [1, {"x": 2}]}) == {
        "a.b.c": 1, "empty": "{}", "list": '[1, {"x": 2}]',
    }  # fmt: skip


def _runs(version: str) -> tuple[WandbSource, dict[str, SourceRun]]:
    source = WandbSource(made.HERE / version)
    return source, {run.id.split("/")[-1]: run for run in source.runs()}


def _points(run: SourceRun) -> list[tuple[str, int, bytes]]:
    return sorted(
        (points.key, int(step), _exact(float(value)))
        for points in run.points()
        for step, value in zip(points.steps, points.values, strict=True)
    )


def _told() -> list[tuple[str, int, bytes]]:
    return sorted((key, step, _exact(value)) for key, step, value in made.numbers())


def _exact(value: float) -> bytes:
    return b"nan" if value != value else struct.pack("<d", value)
