"""What neptune-exporter writes of projects of versions 2 and 3, read by the schema that it documents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fleetlog.importers.neptune.source import NeptuneSource
from fleetlog.importers.source import Fork, SourceError, SourceRun

from tests.client.importers.neptune import exports
from tests.client.importers.neptune.exports import attribute, point


def test_points_come_with_their_step_their_time_and_their_value(tmp_path: Path) -> None:
    parts = [
        [
            point("metrics/loss", str(step), 1 / (step + 1), seconds=step / 4)
            for step in range(number * 50, number * 50 + 50)
        ]
        for number in range(12)  # ten and more: part 10 stands behind part 9
    ]
    exports.write(tmp_path, "RUN-1", *parts)
    source, runs = _runs(tmp_path)
    found = [
        (points.key, step, value, time)
        for points in runs["RUN-1"].points()
        for step, value, time in zip(points.steps.tolist(), points.values.tolist(), points.times.tolist(), strict=True)
    ]
    start = int(exports.START.timestamp() * 1000)
    assert found == [("metrics/loss", step, 1 / (step + 1), start + 250 * step) for step in range(600)]
    assert source.unread() == []


def test_runs_of_version_two_have_params_tags_times_and_a_state(tmp_path: Path) -> None:
    exports.write(
        tmp_path,
        "SAN-1",
        [
            attribute("sys/id", "string", "SAN-1"),
            attribute("sys/name", "string", "baseline"),
            attribute("sys/owner", "string", "ann"),
            attribute("sys/creation_time", "datetime", exports.START),
            attribute("sys/tags", "string_set", ["b", "a"]),
            attribute("sys/failed", "bool", True),
            attribute("sys/trashed", "bool", True),
            attribute("parameters/lr", "float", 0.1),
            attribute("parameters/layers", "int", 3),
            attribute("parameters/bias", "bool", False),
            attribute("parameters/kind", "string", "adam"),
            attribute("parameters/began", "datetime", exports.START),
        ],
    )
    run = _runs(tmp_path)[1]["baseline"]
    assert run.id == "workspace/project/SAN-1"
    assert (run.experiment, run.user, run.state, run.deleted) == ("workspace/project", "ann", "FAILED", True)
    assert run.params == {
        "parameters/lr": 0.1,
        "parameters/layers": 3,
        "parameters/bias": False,
        "parameters/kind": "adam",
        "parameters/began": "2026-01-02T03:04:05+00:00",
    }
    assert run.start_time == int(exports.START.timestamp() * 1000)
    assert run.tags["tags"] == "b,a"
    assert run.tags["sys/id"] == "SAN-1"


def test_a_fork_of_version_three_names_its_origin_which_comes_before_it(tmp_path: Path) -> None:
    for run, parent in [("a-fork", "m-origin"), ("m-origin", ""), ("b-fork", "a-fork")]:
        rows = [attribute("sys/custom_run_id", "string", run), attribute("sys/name", "string", "experiment")]
        if parent:
            rows += [attribute("sys/forking/parent", "string", parent), attribute("sys/forking/step", "float", 7.0)]
        exports.write(tmp_path, run, rows)
    runs = _runs(tmp_path)[1]
    assert list(runs) == ["m-origin", "a-fork", "b-fork"]
    assert runs["b-fork"].fork == Fork("workspace/project/a-fork", 7)
    assert runs["m-origin"].fork is None


def test_steps_with_fractions_are_multiplied_and_what_is_left_is_told(tmp_path: Path) -> None:
    steps = ["0", "0.5", "1.25", "2.000001", "123456789012"]
    exports.write(tmp_path, "RUN-1", [point("loss", step, 1.0) for step in steps])
    for multiplier, expected, fractions in [
        (1, [0, 0, 1, 2, 123_456_789_012], 3),
        (4, [0, 2, 5, 8, 493_827_156_048], 1),
        (1_000_000, [0, 500_000, 1_250_000, 2_000_001, 123_456_789_012_000_000], 0),
    ]:
        source = NeptuneSource(tmp_path, step_multiplier=multiplier)
        (run,) = source.runs()
        assert [int(step) for points in run.points() for step in points.steps] == expected
        assert [(one.count, one.is_fault) for one in source.unread()] == ([(fractions, False)] if fractions else [])


def test_files_series_of_files_texts_and_histograms_are_files(tmp_path: Path) -> None:
    exports.write_file(tmp_path, "RUN-1/model.bin", b"weights")
    exports.write_file(tmp_path, "RUN-1/folder/a.txt", b"a")
    exports.write_file(tmp_path, "RUN-1/images/3.png", b"picture")
    histogram = {"type": "COUNTING", "edges": [0.0, 1.0, 2.0], "values": [3.0, 4.0]}
    exports.write(
        tmp_path,
        "RUN-1",
        [
            {**attribute("model", "file", {"path": "RUN-1/model.bin"})},
            {**attribute("source", "file", {"path": f"{exports.FOLDER}/RUN-1/folder"})},
            {**attribute("gone", "file", {"path": "RUN-1/gone.bin"})},
            {**attribute("outside", "file", {"path": "../../secret.txt"})},
            point("images", "3", {"path": "RUN-1/images/3.png"}, kind="file"),
            point("log", "1", "hello", kind="string"),
            point("log", "2.5", "again", kind="string"),
            point("weights", "1", histogram, kind="histogram"),
        ],
    )
    (tmp_path / "secret.txt").write_text("secret")
    source, runs = _runs(tmp_path)
    contents = {}
    for file in runs["RUN-1"].files():
        with file.open() as content:
            contents[file.path] = content.read()
    assert contents["model"] == b"weights"
    assert contents["source/a.txt"] == b"a"
    assert contents["images/3.png"] == b"picture"
    assert [(json.loads(line)["step"], json.loads(line)["value"]) for line in contents["log.jsonl"].splitlines()] == [
        (1, "hello"), (2.5, "again"),
    ]  # fmt: skip
    assert json.loads(contents["weights.jsonl"])["value"] == histogram
    assert sorted(one.where for one in source.unread()) == [
        "workspace/project, run RUN-1, gone", "workspace/project, run RUN-1, outside",
    ]  # fmt: skip
    assert len(contents) == 5


def test_a_file_that_is_damaged_is_told_and_the_rest_comes(tmp_path: Path) -> None:
    for run in ("RUN-1", "RUN-2"):
        exports.write(tmp_path, run, [point("loss", "1", 1.0)])
    damaged = tmp_path / "data" / exports.FOLDER / "RUN-1_part_0.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    (damaged.parent / "RUN-3_part_0.parquet.tmp").write_bytes(b"half")
    source, runs = _runs(tmp_path)
    assert list(runs) == ["RUN-2"]
    assert [one.where for one in source.unread()] == [str(damaged)]


def test_tables_of_another_schema_are_told(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    source = NeptuneSource(tmp_path)
    assert list(source.runs()) == []
    assert "project_id" in source.unread()[0].why


def test_folders_without_tables_are_no_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="neptune-exporter"):
        list(NeptuneSource(tmp_path).runs())


def _runs(path: Path) -> tuple[NeptuneSource, dict[str, SourceRun]]:
    source = NeptuneSource(path)
    return source, {run.name: run for run in source.runs()}
