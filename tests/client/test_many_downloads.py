"""Files, folders and whole runs, downloaded: each whole, verified, and no more than is missing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import fleetlog
import pytest

CONTENTS = {
    "notes.txt": b"notes",
    "ckpt/a.bin": b"a" * 3_000_000,
    "ckpt/deep/b.bin": b"b" * 1_500_000,
    "ckpt/empty": b"",
    "ckpt2/c": b"c",
}


@pytest.fixture(scope="module")
def run_id(embedded_target: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("files")
    for name, content in CONTENTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    with fleetlog.start_run("many downloads", target=embedded_target) as run:
        run.log_artifacts(folder)
    return run.id


def below(folder: Path) -> dict[str, bytes]:
    return {one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def test_a_whole_run_comes_with_its_folders(embedded_target: str, run_id: str, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    client = fleetlog.Client(embedded_target)
    written = client.download_artifacts(run_id, to=tmp_path / "new", on_progress=lambda *said: told.append(said))
    assert below(tmp_path / "new") == CONTENTS
    assert sorted(written) == sorted(tmp_path / "new" / name for name in CONTENTS)
    whole = sum(map(len, CONTENTS.values()))
    assert {total for _, total in told} == {whole}
    assert max(done for done, _ in told) == whole
    listed = {file.path: file.sha256 for file in client.list_artifacts(run_id)}
    assert listed == {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}


@pytest.mark.parametrize(("path", "names"), [("ckpt", 3), ("ckpt/", 3), ("ckpt/a.bin", 1), ("notes.txt", 1)])
def test_a_file_or_a_folder_comes_by_itself(
    embedded_target: str, run_id: str, tmp_path: Path, path: str, names: int
) -> None:
    fleetlog.Client(embedded_target).download_artifacts(run_id, path, tmp_path, threads=1)
    found = below(tmp_path)
    assert len(found) == names
    assert all(CONTENTS[name] == content for name, content in found.items())


def test_what_is_there_stays_and_what_differs_is_replaced(embedded_target: str, run_id: str, tmp_path: Path) -> None:
    client = fleetlog.Client(embedded_target)
    client.download_artifacts(run_id, to=tmp_path)
    kept, changed = tmp_path / "ckpt/a.bin", tmp_path / "ckpt/deep/b.bin"
    os.utime(kept, (1, 1))
    changed.write_bytes(b"B" * 1_500_000)
    (tmp_path / "notes.txt").unlink()
    client.download_artifacts(run_id, to=tmp_path)
    assert below(tmp_path) == CONTENTS
    assert kept.stat().st_mtime == 1


def test_a_path_with_nothing_says_so(embedded_target: str, run_id: str, tmp_path: Path) -> None:
    client = fleetlog.Client(embedded_target)
    with pytest.raises(fleetlog.NotFound) as error:
        client.download_artifacts(run_id, "ckp", tmp_path)
    assert error.value.reason == "ARTIFACT_NOT_FOUND"
    with fleetlog.start_run("many downloads", target=embedded_target) as bare:
        bare.log({"x": 1.0})
    assert client.download_artifacts(bare, to=tmp_path) == []


def test_a_folder_in_the_place_of_a_file_is_told_before_anything_is_written(
    embedded_target: str, run_id: str, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").mkdir()
    with pytest.raises(fleetlog.FailedPrecondition) as error:
        fleetlog.Client(embedded_target).download_artifacts(run_id, to=tmp_path)
    assert error.value.reason == "TARGET_IS_FOLDER"
    assert below(tmp_path) == {}


def test_large_contents_are_kept_and_leave_no_file_behind(
    embedded_target: str, experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with fleetlog.start_run(experiment, target=embedded_target) as run:
        run.log_text("x" * 2_000_000, "large.txt")
        run.log_text("small", "../outside")
        wrong: Any = {1, 2}
        run.log_dict(wrong, "no.json")
    client = fleetlog.Client(embedded_target)
    assert [(file.path, file.size_bytes) for file in client.list_artifacts(run)] == [("large.txt", 2_000_000)]
    assert list(tmp_path.iterdir()) == []
    assert {problem.reason for problem in client.get_run(run).problems} == {"ARTIFACT_PATH_INVALID", "DICT_INVALID"}
