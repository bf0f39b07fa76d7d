"""`fleetlog mlflow-ui` over a server, and what MLflow's pages ask of it, by HTTP. Needs all of mlflow."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.mlflow_server import free_port, mlflow_environment, wait_until_healthy

TABLE = "/ajax-api/2.0/mlflow/runs/search"
CHART = "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"
TIMEOUT_SECONDS = 120.0


class Pages:
    """A browser's connection to the pages."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)

    def table(self, experiment_id: str, runs: int) -> int:
        """Returns how many runs a page of the table shows."""
        asked = {"experiment_ids": [experiment_id], "max_results": runs, "run_view_type": "ACTIVE_ONLY"}
        answer = self._asked("POST", TABLE, json.dumps(asked))
        return len(answer["runs"])

    def chart(self, run_ids: Sequence[str], key: str, steps: int) -> int:
        """Returns how many points a chart shows."""
        asked = urlencode({"run_ids": run_ids, "metric_key": key, "max_results": steps}, doseq=True)
        return len(self._asked("GET", f"{CHART}?{asked}", None)["metrics"])

    def _asked(self, method: str, path: str, body: str | None) -> dict[str, list[object]]:
        self._connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        response = self._connection.getresponse()
        content = response.read()
        if response.status != http.HTTPStatus.OK:
            raise AssertionError(f"{path}: {response.status} {content[:500]!r}")
        found: dict[str, list[object]] = json.loads(content)
        return found


@contextmanager
def mlflow_pages(target: str, folder: Path) -> Iterator[Pages]:
    """The pages over the default namespace of a server. Their processes are ended."""
    port = free_port()
    words = ["mlflow-ui", "--target", target, "--port", str(port), "--workers", "1"]
    told = folder / "mlflow-ui.log"
    with told.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", "from fleetlog_deploy.cli import main; main()", *words],
            stdout=out, stderr=out, cwd=folder, env=mlflow_environment(), start_new_session=True,
        )  # fmt: skip
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}", process, told)
        yield Pages(port)
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)
        # Its session is its own: what is left of it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
