"""A load test as a process: ended by Ctrl-C, and over real engines."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import fleetlog
import pytest

from tests.client.cli.terminal import COMMAND, environment_of
from tests.deploy.cluster import cluster
from tests.deploy.watching import ready
from tests.waiting import reached

PROFILE = """
workers = 8
ranks = 2
metrics = 5
steps_per_second = 10
seconds = {seconds}
artifacts = 1
probes_per_second = 5
[[searches]]
filter = "metrics.m000 < 0.9"
"""


def profile(folder: Path, seconds: float) -> str:
    path = folder / "load.toml"
    path.write_text(PROFILE.format(seconds=seconds))
    return str(path)


def test_ctrl_c_ends_a_load_in_order(embedded_target: str, tmp_path: Path) -> None:
    name = "ended by Ctrl-C"
    command = [*COMMAND, "loadtest", profile(tmp_path, 3_600), "--name", name, "--json"]
    client = fleetlog.Client(embedded_target)
    with subprocess.Popen(
        command, env=environment_of(embedded_target), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            reached(lambda: has_points(client, name))
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == 0, err
    assert "Ctrl-C again leaves at once" in err
    report = json.loads(out)
    assert report["interrupted"]
    assert report["is_whole"]
    assert report["findings"]["compared"] == report["durable_points"] == report["sent_points"] > 0
    assert {run.state for run in client.search_runs(experiments=[name])} == {"FINISHED"}


def has_points(client: fleetlog.Client, name: str) -> bool:
    try:
        return any("m000" in run.metrics for run in client.search_runs(experiments=[name]))
    except fleetlog.NotFound:
        return False


@pytest.mark.timeout(300)
def test_a_cluster_keeps_its_promises_under_a_load(
    kafka_server: str, clickhouse_server: str, s3_server: str, tmp_path: Path
) -> None:
    with cluster(kafka_server, clickhouse_server, s3_server, tmp_path) as own:
        folding, serving = own.serve("materializer"), own.serve("gateway", "query")
        ready(folding, serving)
        done = subprocess.run(
            [*COMMAND, "loadtest", profile(tmp_path, 5), "--json"],
            env=environment_of(serving.target), capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done
    report = json.loads(done.stdout)
    assert report["is_whole"]
    assert report["findings"]["compared"] == report["durable_points"] == report["sent_points"] > 1_000
    assert (report["findings"]["files"], report["broken_streams"]) == (8, 0)
