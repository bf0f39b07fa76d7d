"""Projects of the real library at two versions, beside what was told to it."""

from __future__ import annotations

import json
import shutil
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest
from fleetlog.importers.source import SourceError, SourceRun
from fleetlog.importers.trackio.source import TrackioSource

from tests.data.importers import make_trackio as made

VERSIONS = sorted(path.name for path in made.HERE.iterdir())


def test_sources_of_two_versions_are_there() -> None:
    assert len(VERSIONS) >= 2


@pytest.mark.parametrize("version", VERSIONS)
def test_every_number_comes_with_its_step_its_value_and_its_time(version: str) -> None:
    source, runs = _runs(made.HERE / version)
    points = [points for points in runs["first"].points() if not points.key.startswith("system.")]
    found = [
        (one.key, step, _exact(value)) for one in points for step, value in zip(one.steps, one.values, strict=True)
    ]
    assert sorted(found) == sorted((key, step, _exact(value)) for key, step, value in made.numbers())
    loss = next(one for one in points if one.key == "loss")
    assert loss.times.tolist() == [1_767_323_100_250 + 1_000 * int(step) for step in loss.steps]
    assert source.unread() == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_has_its_config_its_user_its_group_and_its_times(version: str) -> None:
    run = _runs(made.HERE / version)[1]["first"]
    assert run.params == {"lr": 0.1, "optimizer.name": "adam"}
    assert (run.experiment, run.user, run.tags, run.state) == ("project", "ann", {"group": "group"}, "FINISHED")
    assert run.start_time == 1_767_323_045_000
    assert run.end_time == 1_767_323_152_250


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_no_number_is_a_file(version: str) -> None:
    files = {file.path: file for file in _runs(made.HERE / version)[1]["first"].files()}
    assert sorted(files) == ["history/table.jsonl", "history/text.jsonl"]
    with files["history/text.jsonl"].open() as content:
        assert [json.loads(line)["value"] for line in content] == ["words"]


@pytest.mark.parametrize("version", [version for version in VERSIONS if version.startswith("0.43")])
def test_system_metrics_and_ids_come_from_versions_that_have_them(version: str) -> None:
    run = _runs(made.HERE / version)[1]["first"]
    assert run.id == "project/id-of-first"
    assert [points.values.tolist() for points in run.points() if points.key == "system.gpu"] == [[0.5, 0.75]]


def test_rows_that_are_damaged_are_told_and_the_rest_comes(tmp_path: Path) -> None:
    database = _copied(tmp_path)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE metrics SET metrics = '{' WHERE id = 3")
    source, runs = _runs(tmp_path)
    assert sum(len(points.steps) for points in runs["first"].points() if points.key == "loss") == made.STEPS + 1
    assert [(one.where, one.offset) for one in source.unread()] == [(f"{database}, metrics", 3)]


def test_a_project_that_can_not_be_read_is_told_and_the_others_come(tmp_path: Path) -> None:
    _copied(tmp_path)
    (tmp_path / "broken.db").write_bytes(b"SQLite format 3\0" + bytes(5_000))
    (tmp_path / "other.db").write_text("no database")
    source, runs = _runs(tmp_path)
    assert set(runs) == {"first", "second"}
    assert sorted(Path(one.where).name for one in source.unread()) == ["broken.db", "other.db"]


def test_rows_that_a_training_has_not_merged_yet_come_too(tmp_path: Path) -> None:
    database = _copied(tmp_path)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        with connection:
            connection.execute("INSERT INTO metrics (run_id, timestamp, run_name, step, metrics) VALUES "
                               "('new', '2026-01-02T03:04:05', 'new', 1, '{\"a\": 1}')")  # fmt: skip
        assert "new" in _runs(tmp_path)[1]


def test_media_outside_of_the_folder_are_not_read(tmp_path: Path) -> None:
    database = _copied(tmp_path)
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "media" / "project").mkdir(parents=True)
    (tmp_path / "media" / "project" / "a.png").write_bytes(b"picture")
    for step, path in [(1, "project/a.png"), (2, "../secret.png"), (3, "project/gone.png")]:
        value = json.dumps({"image": {"_type": "trackio.image", "file_path": path, "width": 3}})
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute(
                "INSERT INTO metrics (run_id, run_name, timestamp, step, metrics) VALUES ('m', 'm', '2026', ?, ?)",
                [step, value],
            )
    source, runs = _runs(tmp_path)
    files = {file.path: file for file in runs["m"].files()}
    assert sorted(files) == ["history/image.jsonl", "media/image/1.png"]
    assert list(runs["m"].points()) == []
    assert len(source.unread()) == 2


def test_what_is_exported_beside_a_database_is_not_read_twice(tmp_path: Path) -> None:
    _copied(tmp_path)
    for file in (made.HERE / "0.43.0-parquet").iterdir():
        shutil.copy(file, tmp_path)
    assert [run.id for run in TrackioSource(tmp_path).runs()] == ["project/id-of-first", "project/second"]


def test_parquet_that_can_not_be_read_is_told_and_the_others_come(tmp_path: Path) -> None:
    for file in (made.HERE / "0.43.0-parquet").iterdir():
        shutil.copy(file, tmp_path)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1" + bytes(100))
    source, runs = _runs(tmp_path)
    assert set(runs) == {"first", "second"}
    assert [Path(one.where).name for one in source.unread()] == ["broken.parquet"]


def test_folders_without_projects_are_no_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="TRACKIO_DIR"):
        list(TrackioSource(tmp_path).runs())


def _copied(folder: Path) -> Path:
    """A copy of the newest version's project."""
    newest = next(version for version in VERSIONS if version.startswith("0.43") and "-" not in version)
    return Path(shutil.copy(made.HERE / newest / "project.db", folder))


def _runs(path: Path) -> tuple[TrackioSource, dict[str, SourceRun]]:
    source = TrackioSource(path)
    return source, {run.name: run for run in source.runs()}


def _exact(value: float) -> bytes:
    return b"nan" if value != value else struct.pack("<d", value)
