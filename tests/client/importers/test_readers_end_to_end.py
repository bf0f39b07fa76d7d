"""Sources of each kind, imported into a server and compared with it point by point."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.client.cli.in_process import said
from tests.client.importers.neptune import exports
from tests.data.importers import make_tensorboard, make_trackio, make_wandb

MADE = [
    ("tensorboard", make_tensorboard.HERE / "tensorboard-2.20.0"),
    ("tensorboard", make_tensorboard.HERE / "tensorboardX-2.6.5"),
    ("wandb", make_wandb.HERE / "0.26.0"),
    ("trackio", make_trackio.HERE / "0.43.0"),
]
"""The others of each kind are read beside what was told to the library, without a server."""


@pytest.mark.parametrize(("kind", "path"), MADE, ids=lambda value: value if isinstance(value, str) else value.name)
def test_what_a_library_wrote_is_here_and_comes_once(
    embedded_target: str, experiment: str, kind: str, path: Path
) -> None:
    namespace = f"{kind}-{path.name}".replace(".", "-").lower()  # a run of the same name and start is the same run
    first, again = (_imported(embedded_target, experiment, kind, path, namespace) for _ in range(2))
    assert first["new_runs"] == first["runs"] > 0
    assert first["points"] > 0
    assert again["new_runs"] == 0


def test_an_export_of_neptunes_is_here_and_comes_once(embedded_target: str, experiment: str, tmp_path: Path) -> None:
    exports.write(tmp_path, "RUN-1", [exports.point("loss", str(step), 1 / (step + 1)) for step in range(100)])
    exports.write(
        tmp_path,
        "RUN-2",
        [
            exports.attribute("sys/custom_run_id", "string", "RUN-2"),
            exports.attribute("sys/creation_time", "datetime", exports.START),
            exports.attribute("lr", "float", 0.1),
            exports.attribute("sys/forking/parent", "string", "RUN-1"),
            exports.attribute("sys/forking/step", "float", 50.0),
            *(exports.point("loss", str(step), 2.0) for step in range(51, 60)),
        ],
    )
    first, again = (_imported(embedded_target, experiment, "neptune", tmp_path) for _ in range(2))
    assert (first["new_runs"], first["points"]) == (2, 109)
    assert again["new_runs"] == 0


def _imported(target: str, experiment: str, kind: str, path: Path, namespace: str = "default") -> dict[str, int]:
    options = ("-e", experiment, "--namespace", namespace, "--verify", "--json")
    done = said(target, "import", kind, str(path), *options)
    found = json.loads(done.out)
    assert found["faults"] == []
    assert found["verified"]["differences"] == []
    assert done.code == 0
    counts: dict[str, int] = found
    return counts
