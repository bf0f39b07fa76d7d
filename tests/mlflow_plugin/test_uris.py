from __future__ import annotations

import subprocess
import sys

import pytest
from fleetlog.mlflow_plugin.uris import (
    ArtifactRoot,
    Place,
    artifact_root,
    place_of,
)
from fleetlog_core.errors import FleetlogError

RUN = "0192f0c1a2b34c5d8e9f0123456789ab"


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("fleetlog://localhost:7460", Place("localhost:7460", "default")),
        ("fleetlog://localhost:7460/", Place("localhost:7460", "default")),
        ("fleetlog://host/team-a", Place("host", "team-a")),
        ("fleetlog://[::1]:7460/team", Place("[::1]:7460", "team")),
        ("fleetlog:///team", Place(None, "team")),
        ("fleetlogs://host:7460/team", Place("fleetlogs://host:7460", "team")),
        ("fleetlogs:///team", Place(None, "team")),
        ("fleetlog://host/team?wait=applied", Place("host", "team", "applied")),
        ("fleetlog://host/team?artifacts=s3://bucket/a", Place("host", "team", artifacts="s3://bucket/a")),
        (None, Place(None, "default")),
    ],
)
def test_a_tracking_uri_names_a_server_and_a_namespace(uri: str | None, place: Place) -> None:
    assert place_of(uri) == place


@pytest.mark.parametrize(
    ("uri", "reason", "said"),
    [
        ("fleetlog://host/a/b", "INVALID_URI", "more than one namespace"),
        ("fleetlog://host/A", "INVALID_NAMESPACE", "'A'"),
        ("fleetlog://host/../etc", "INVALID_URI", "more than one namespace"),
        ("fleetlog://host/a?wait=forever", "INVALID_URI", "handed, durable, applied"),
        ("fleetlog://host/a?artifacts=", "INVALID_URI", "no URI behind it"),
        ("fleetlog://host/a?token=secret", "INVALID_URI", "'token', which is no option"),
        ("http://host/a", "INVALID_URI", "'http'"),
    ],
)
def test_another_uri_is_refused_with_what_is_wrong(uri: str, reason: str, said: str) -> None:
    with pytest.raises(FleetlogError) as refused:
        place_of(uri)
    assert refused.value.reason == reason
    assert said in str(refused.value)


def test_an_artifact_uri_tells_the_run_and_the_path_within_it() -> None:
    of_run = artifact_root(f"fleetlog-artifacts:/3/{RUN}/artifacts/models")
    assert of_run.owner("") == (RUN, "models")
    assert of_run.owner("a/b.bin") == (RUN, "models/a/b.bin")
    of_server = artifact_root("fleetlog-artifacts://host:7460/team")
    assert of_server == ArtifactRoot(Place("host:7460", "team"), ())
    assert of_server.owner(f"3/{RUN}/artifacts/a") == (RUN, "a")
    with pytest.raises(FleetlogError, match="experiment/run/artifacts"):
        of_server.owner("3")


def test_files_of_a_server_with_tls_are_asked_of_it_with_tls() -> None:
    root = artifact_root("fleetlogs-artifacts://host:7460/team/3")
    assert root == ArtifactRoot(Place("fleetlogs://host:7460", "team"), ("3",))


def test_the_entry_points_import_neither_mlflow_nor_grpc() -> None:
    code = "import sys, fleetlog_mlflow; sys.exit(' '.join({'mlflow', 'grpc', 'fleetlog'} & set(sys.modules)) or None)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
