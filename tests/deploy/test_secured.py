"""The settings of compose.yaml as processes: TLS between all parts, and secrets in files alone.

Those of kubernetes/ are tried in test_rotation.py.
"""

from __future__ import annotations

import json
import signal
import ssl
import urllib.request
from pathlib import Path

import fleetlog as client
import pytest

from tests.deploy.manifests import compose
from tests.deploy.processes import Up
from tests.deploy.secured import Secured, compose_environment, secured
from tests.deploy.watching import ready
from tests.ports import free_port
from tests.waiting import reached


def serve(own: Secured, service: str, **more: str) -> Up:
    """A service as compose starts it."""
    return own.serve(compose_environment(service, own.private), *compose()[service]["command"][1:], **more)


@pytest.mark.timeout(600)
def test_a_training_and_a_browser_are_served_over_tls_from_end_to_end(
    kafka_server: str, clickhouse_server: str, s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with secured(kafka_server, clickhouse_server, s3_server, tmp_path) as own:
        web = free_port()
        folding, server = serve(own, "materializer"), serve(own, "server", FLEETLOG_WEB_PORT=str(web))
        ready(folding, server)
        assert str(folding.ready["target"]).startswith("127.0.0.1:"), "nobody asks it by gRPC"
        port = server.target.rpartition(":")[2]
        monkeypatch.setenv("FLEETLOG_CA", str(own.private / "ca.crt"))
        monkeypatch.setenv("FLEETLOG_TOKEN_FILE", str(own.private / "secrets" / "admin_token"))
        target = f"fleetlogs://localhost:{port}"
        with client.start_run("first", "trial", target=target) as run:
            run.log({"loss": 0.5}, step=1)
            file = tmp_path / "model.bin"
            # Above 16 MiB it goes straight to the store.
            file.write_bytes(bytes(range(256)) * (17 << 12))
            run.log_artifact(file)
        reader = client.Client(target)
        reached(lambda: reader.get_run(run.id).state == "FINISHED", 120)
        assert reader.read_metric(run.id, "loss").values.tolist() == [0.5]
        assert reader.download_artifact(run.id, "model.bin", tmp_path / "back").read_bytes() == file.read_bytes()
        assert all(proxy.accepted for proxy in own.proxies), "each engine was spoken to by TLS"

        token = (own.private / "secrets" / "admin_token").read_text()
        asking = urllib.request.Request(
            f"https://localhost:{web}/fleetlog.v1.QueryService/GetRun",
            json.dumps({"run_id": run.id}).encode(),
            {"content-type": "application/json", "authorization": f"Bearer {token}"},
        )  # fmt: skip
        trusting = ssl.create_default_context(cafile=own.private / "ca.crt")
        with urllib.request.urlopen(asking, timeout=120, context=trusting) as answer:
            assert json.loads(answer.read())["run"]["name"] == "trial"

        nobody = {name: text for name, text in read_secrets(own.private).items() if text}
        for process in (folding, server):
            arguments = Path(f"/proc/{process.process.pid}/cmdline").read_bytes()
            environment = Path(f"/proc/{process.process.pid}/environ").read_bytes()
            for name, text in nobody.items():
                assert text.encode() not in arguments, name
                assert text.encode() not in environment, name
        assert (server.stop(signal.SIGTERM), folding.stop(signal.SIGTERM)) == (0, 0)
        for name, text in nobody.items():
            assert text not in own.told(), name


def read_secrets(private: Path) -> dict[str, str]:
    """Secrets by name, but for what is none here: the user that an S3 store of the tests has."""
    return {path.name: path.read_text() for path in (private / "secrets").iterdir() if path.name != "s3_access_key"}
