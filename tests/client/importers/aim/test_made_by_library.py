"""A repository that Aim made, read and imported."""

from __future__ import annotations

import math
import struct
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import fleetlog
import pytest
from fleetlog.importers import ImportWriter, open_source, verify

from tests.data.importers import make_aim as made
from tests.servers import missing_program, unique

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("aim") is None:
        missing_program("Aim", "pip install 'fleetlog[import-aim]', which no Python from 3.13 on can")
    folder = tmp_path_factory.mktemp("aim")
    subprocess.run([sys.executable, made.__file__, str(folder)], check=True, capture_output=True, timeout=120)
    return folder


def test_all_that_aim_was_told_is_read(repository: Path) -> None:
    source = open_source("aim", repository)
    runs = {run.name: run for run in source.runs()}
    found = [
        (name, points.key, step, _exact(value))
        for name, run in runs.items()
        for points in run.points()
        for step, value in zip(points.steps.tolist(), points.values.tolist(), strict=True)
    ]
    assert sorted(found) == sorted((run, key, step, _exact(value)) for run, key, step, value in made.points())
    one, archived = runs["one"], runs["archived"]
    assert (one.experiment, one.deleted, archived.experiment, archived.deleted) == ("first", False, "second", True)
    assert one.params == {"hparams.lr": 0.1, "hparams.opt.name": "adam", "hparams.opt.betas": "[0.9, 0.99]"}
    assert one.tags == {"tags": "tagged", "mlflow.note.content": "notes"}
    [text] = one.files()
    with text.open() as content:
        assert content.read() == b'{"step": 1, "value": "words"}\n'
    assert [(item.why, item.is_fault) for item in source.unread()] == [("images are not copied", False)]


def test_all_of_it_is_imported_once(repository: Path, embedded_target: str) -> None:
    client = fleetlog.Client(embedded_target, unique("aim"))
    report = ImportWriter(client, open_source("aim", repository)).run()
    assert (report.faults, report.runs, report.points) == ([], 2, len(made.points()))
    assert verify(client, open_source("aim", repository)).differences == []
    again = ImportWriter(client, open_source("aim", repository)).run()
    assert (again.new_runs, again.points) == (0, 0)


def _exact(value: float) -> bytes:
    return b"nan" if math.isnan(value) else struct.pack("<d", value)
