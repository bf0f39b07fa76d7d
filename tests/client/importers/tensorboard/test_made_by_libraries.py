"""Event files of the real libraries, beside what was told to them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from fleetlog.importers.source import SourceError, SourceRun
from fleetlog.importers.tensorboard.source import TensorBoardSource

from tests.data.importers import make_tensorboard as made

LIBRARIES = sorted(path.name for path in made.HERE.iterdir())
Point = tuple[str, str, int, str]


def test_sources_of_two_versions_and_more_are_there() -> None:
    assert len(LIBRARIES) >= 3


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_scalar_comes_with_its_step_and_its_value(library: str) -> None:
    source = TensorBoardSource(made.HERE / library)
    assert _points(source.runs()) == _told(library)
    assert not [one for one in source.unread() if one.is_fault]


@pytest.mark.parametrize("library", LIBRARIES)
def test_points_of_a_series_stand_in_the_order_of_the_file(library: str) -> None:
    run = _run(TensorBoardSource(made.HERE / library), "b")
    steps = [int(step) for points in run.points() if points.key == "loss" for step in points.steps]
    assert steps == list(range(made.STEPS))


@pytest.mark.parametrize("library", LIBRARIES)
def test_times_lie_between_a_runs_start_and_its_end(library: str) -> None:
    for run in TensorBoardSource(made.HERE / library).runs():
        assert run.start_time is not None
        assert run.end_time is not None
        times = [int(time) for points in run.points() for time in points.times]
        assert run.start_time <= min(times)
        assert max(times) <= run.end_time


@pytest.mark.parametrize("library", LIBRARIES)
def test_folders_of_a_run_are_joined_when_that_is_asked(library: str) -> None:
    runs = list(TensorBoardSource(made.HERE / library, join=True).runs())
    assert "a" in [run.name for run in runs]
    assert "a/train" not in [run.name for run in runs]
    joined = next(run for run in runs if run.name == "a")
    assert {points.key for points in joined.points()} == {
        f"{folder}/{key}" for folder in ("train", "validation") for key in ("loss", "eval/accuracy", "odd")
    }
    assert len(_points([joined])) == 2 * len(made.numbers("a"))


@pytest.mark.parametrize("library", LIBRARIES)
def test_hyperparameters_are_params_with_their_types(library: str) -> None:
    name = "b/trial" if "X" in library else "b"
    run = _run(TensorBoardSource(made.HERE / library), name)
    assert run.params == made.PARAMS
    assert type(run.params["batch"]) is int
    assert run.parent == (_run(TensorBoardSource(made.HERE / library), "b").id if "X" in library else None)


@pytest.mark.parametrize("library", LIBRARIES)
def test_images_texts_and_histograms_are_files(library: str) -> None:
    run = _run(TensorBoardSource(made.HERE / library), "b")
    files = {file.path: file for file in run.files()}
    text = "notes/text_summary" if "X" in library else "notes"
    assert sorted(files) == [
        "histograms/weights.jsonl", "images/pictures/one/7.png", f"text/{text}/0.md", f"text/{text}/1.md",
    ]  # fmt: skip
    assert files["images/pictures/one/7.png"].open().read() == made.PNG
    assert files[f"text/{text}/0.md"].open().read() == b"**first**"
    with files["histograms/weights.jsonl"].open() as content:
        lines = [json.loads(line) for line in content]
    assert [line["step"] for line in lines] == [3, 4]
    assert [sum(line["counts"]) for line in lines] == [4, 2]


def test_one_file_is_a_source_too() -> None:
    file = next((made.HERE / LIBRARIES[0] / "a" / "train").iterdir())
    assert len(_points(TensorBoardSource(file).runs())) == len(made.numbers("a"))


def _run(source: TensorBoardSource, name: str) -> SourceRun:
    return next(run for run in source.runs() if run.name == name)


def _points(runs: Iterable[SourceRun]) -> list[Point]:
    return sorted(
        (run.name, points.key, int(step), _exact(float(value)))
        for run in runs
        for points in run.points()
        for step, value in zip(points.steps, points.values, strict=True)
    )


def _told(library: str) -> list[Point]:
    return sorted((run, tag, step, _exact(value)) for run, tag, step, value in made.told(library))


def _exact(value: float) -> str:
    """A value as a float of 32 bits, which the formats have; NaN equals NaN, and 0.0 is not -0.0."""
    return "nan" if math.isnan(value) else float(np.float32(value)).hex()


def test_folders_without_event_files_are_no_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="tfevents"):
        list(TensorBoardSource(tmp_path).runs())
