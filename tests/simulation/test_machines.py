"""What is left on the disk of a machine that loses power."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from simulation.disk import Machine
from simulation.history import History
from simulation.kernel import Kernel
from simulation.weather import Condition, Weather


def machine(root: Path, seed: int = 1) -> tuple[Machine, Weather]:
    weather = Weather()
    return Machine(Kernel(Random(seed), History()), weather, "one", root), weather


def written(disk: Machine, folder: Path, number: int) -> tuple[int, Path]:
    path = folder / f"{number:08d}.segment"
    file = disk.create(path)
    disk.write(file, memoryview(b"safe "))
    return file, path


def test_what_was_synced_under_a_synced_name_is_there_and_the_rest_may_not_be(tmp_path: Path) -> None:
    left = set()
    for seed in range(40):
        root = tmp_path / str(seed)
        (folder := root / "journal").mkdir(parents=True)
        disk, _ = machine(root, seed)
        file, path = written(disk, folder, 1)
        disk.sync_folder(root)
        disk.sync_folder(folder)
        disk.sync(file)
        disk.write(file, memoryview(b"perhaps"))
        disk.lose_power()
        assert path.read_bytes().startswith(b"safe ")
        left.add(path.read_bytes()[5:])
    assert b"" in left
    assert b"perhaps" in left
    assert any(len(tail) == 7 and tail != b"perhaps" for tail in left)


def test_a_file_whose_name_was_not_synced_may_be_gone(tmp_path: Path) -> None:
    there = set()
    for seed in range(20):
        root = tmp_path / str(seed)
        (folder := root / "journal").mkdir(parents=True)
        disk, _ = machine(root, seed)
        file, path = written(disk, folder, 1)
        disk.sync(file)
        disk.lose_power()
        there.add(path.exists())
    assert there == {True, False}


def test_a_full_disk_takes_nothing_or_some(tmp_path: Path) -> None:
    disk, weather = machine(tmp_path)
    file, path = written(disk, tmp_path, 1)
    weather.begin(Condition.DISK_FULL, "one")
    sizes = set()
    for _ in range(30):
        before = path.stat().st_size
        try:
            disk.write(file, memoryview(b"0123456789"))
        except OSError:
            sizes.add(0)
        else:
            sizes.add(path.stat().st_size - before)
    assert 0 in sizes
    assert len(sizes) > 2
    assert max(sizes) < 10
    with pytest.raises(OSError, match="No space"):
        disk.create(tmp_path / "00000002.segment")
