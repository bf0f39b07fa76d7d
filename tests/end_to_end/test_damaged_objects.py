"""Bytes in the object store that are not those that were stored: told, never served as what they were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import fleetlog
import pytest
from fleetlog_proto.v1 import artifact_pb2

CONTENT = bytes(range(256)) * 9_000


def _same_length(path: Path) -> None:
    path.write_bytes(CONTENT[::-1])


def _longer(path: Path) -> None:
    path.write_bytes(CONTENT + b"more")


def _shorter(path: Path) -> None:
    path.write_bytes(CONTENT[:1_500_000])


def _link(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


@pytest.mark.parametrize("damage", [_same_length, _longer, _shorter, _link, Path.unlink])
def test_a_damaged_object_is_told_and_not_served_whole(
    embedded_target: str,
    experiment: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    damage: Callable[[Path], None],
) -> None:
    (tmp_path / "model.pt").write_bytes(CONTENT)
    with fleetlog.start_run(experiment, target=embedded_target) as run:
        run.log_artifact(tmp_path / "model.pt")
        run.flush(level="applied")
    client = fleetlog.Client(embedded_target)
    (artifact,) = client.list_artifacts(run.id)
    (stored,) = tmp_path_factory.getbasetemp().glob(f"embedded0/objects/default/{run.id}/{artifact.sha256}")
    damage(stored)
    with pytest.raises(fleetlog.FleetlogError) as caught:
        client.download_artifact(run.id, "model.pt", tmp_path / "to.pt")
    assert (caught.value.reason, caught.value.code) == ("OBJECT_DAMAGED", "DATA_LOSS")
    assert str(tmp_path_factory.getbasetemp()) not in str(caught.value)
    assert not (tmp_path / "to.pt").exists()
    if damage is not _same_length:
        request = artifact_pb2.DownloadArtifactRequest(run_id=run.id, path="model.pt", offset_bytes=1_000)
        with pytest.raises(fleetlog.FleetlogError), client._connection.calling():
            list(client._connection.query.DownloadArtifact(request))
