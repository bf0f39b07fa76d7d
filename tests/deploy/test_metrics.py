"""What `fleetlog up` tells of itself to machines."""

from __future__ import annotations

import json
import signal
import urllib.request
from pathlib import Path

import fleetlog as client
import pytest
from fleetlog.errors import FleetlogError

from tests.core.serving.numbers import numbers
from tests.deploy.processes import fleetlog, up
from tests.waiting import reached


def told(address: object) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        return numbers(answer.read())


def test_numbers_health_and_lines_of_json(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data, "--port", "0", "--metrics-port", "0", "--log-format", "json") as server:
        metrics = server.ready["metrics"]
        assert str(metrics).startswith("127.0.0.1:")
        for path in ("healthz", "readyz"):
            with urllib.request.urlopen(f"http://{metrics}/{path}", timeout=10) as answer:
                assert (answer.status, answer.read()) == (200, b"ok\n")
        run = client.start_run("numbers", target=server.target)
        for step in range(100):
            run.log({"x": float(step)}, step=step)
        run.finish(timeout=60)
        reader = client.Client(server.target)
        assert reader.get_run(run.id).summary("x").count == 100
        with pytest.raises(FleetlogError):
            reader.search_runs("metrics.x >", experiments=["numbers"])
        reached(lambda: told(metrics)["fleetlog_lag", "events-0"] == 0)
        found = told(metrics)
        assert found["fleetlog_points_total",] == 100
        assert found["fleetlog_ack_seconds_count",] >= 1
        assert found["fleetlog_staleness_seconds", "events-0"] == 0
        assert found["fleetlog_rpc_seconds_count", "QueryService/GetRun", "OK"] >= 1
        assert found["fleetlog_rpc_seconds_count", "QueryService/SearchRuns", "INVALID_ARGUMENT"] == 1
        assert found["fleetlog_statement_rows_read_total",] > 0
        assert found["fleetlog_statement_bytes_read_total",] > 0
        assert found["fleetlog_rows_inserted_total", "points"] == 100
        assert (server.stop(signal.SIGTERM), server.err) == (0, "")
    lines = [json.loads(line) for line in (data / "logs" / "fleetlog.log").read_text().splitlines()]
    assert "ready" in [line["message"] for line in lines]
    assert all(line["process"] == "up" and line["level"] and line["time"].endswith("+00:00") for line in lines)


def test_settings_from_a_file_and_what_is_wrong_with_them(tmp_path: Path) -> None:
    file, wrong = tmp_path / "fleetlog.toml", tmp_path / "wrong.toml"
    file.write_text('[server]\nport = 0\nhost = "::1"\n')
    wrong.write_text("[server]\nprot = 1\n")
    with up(tmp_path / "data", "--config", str(file)) as server:
        assert server.target.startswith("[::1]:")
        assert server.stop(signal.SIGINT) == 0
    refused, shown, form = fleetlog(
        ("up", "--data", tmp_path / "other", "--config", wrong),
        ("config", "show", "--config", file),
        ("up", "--data", tmp_path / "other", "--log-format", "yaml"),
    )
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == f"fleetlog: server.prot ({wrong}): there is no such setting; is port meant?\n"
    assert (shown.code, shown.err) == (0, "")
    assert f'host = "::1"  # {file}\n' in shown.out
    assert form.err == 'fleetlog: diagnostics.format = "yaml" (command line): it must be one of text, json\n'
    assert not (tmp_path / "other").exists()
