"""compose.yaml, the Dockerfile and what they start, as far as they can be tried without containers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fleetlog_deploy.serve import NEEDS
from fleetlog_deploy.settings.load import load
from fleetlog_deploy.settings.model import KEYS, Settings

from tests.deploy.manifests import DEPLOY, ROOT, compose

OURS = ("materializer", "server")
BIN = Path(sys.executable).parent


def secrets() -> dict[str, str]:
    told = subprocess.run([DEPLOY / "secrets"], capture_output=True, text=True, check=True, timeout=10).stdout
    return dict(line.split("=") for line in told.splitlines())


def settings_of(service: str) -> Settings:
    """As the process would read them, with the image's own variables."""
    image = {
        name: value
        for name, _, value in (
            part.partition("=") for part in (DEPLOY / "Dockerfile").read_text().split() if part.startswith("FLEETLOG_")
        )
    }
    environment = {}
    for name, text in compose()[service]["environment"].items():
        for secret, value in secrets().items():
            start, _, end = text.partition("${" + secret)
            text = start + value + end.partition("}")[2] if end else text
        environment[name] = text
    return load(environment={**image, **environment}).settings


def test_it_is_what_compose_takes() -> None:
    subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.yaml")],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip


def test_the_dockerfile_is_clean() -> None:
    ended = subprocess.run([BIN / "hadolint", str(DEPLOY / "Dockerfile")], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stdout


def test_the_image_has_all_that_a_wheel_is_made_of() -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert all((ROOT / path).exists() for path in kept)
    for package in ("protos/python/fleetlog_proto", "client/fleetlog", "core/fleetlog_core", "ingest/fleetlog_ingest",
                    "query/fleetlog_query", "deploy/fleetlog_deploy"):  # fmt: skip
        assert any(Path(package).is_relative_to(path) for path in kept), package


@pytest.mark.parametrize("name", OURS)
def test_the_services_have_settings_that_they_can_start_with(name: str) -> None:
    service, settings = compose()[name], settings_of(name)
    command, *parts = service["command"]
    assert command == "serve"
    for part in parts:
        for needed in NEEDS[part]:
            key = KEYS[needed]
            assert getattr(getattr(settings, key.section), key.name), needed
    assert settings.metrics.port == 9464
    assert "127.0.0.1:9464/readyz" in service["healthcheck"]["test"][-1]
    assert settings.server.drain_seconds < float(service["stop_grace_period"].removesuffix("s"))
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


def test_each_waits_for_what_it_needs_to_be_healthy() -> None:
    services = compose()
    assert services["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    assert services["materializer"]["depends_on"]["topics"] == {"condition": "service_completed_successfully"}
    for engine in ("kafka", "clickhouse", "minio"):
        assert services["materializer"]["depends_on"][engine] == {"condition": "service_healthy"}
        assert services[engine]["healthcheck"]["test"]
    assert services["server"]["depends_on"] == {"materializer": {"condition": "service_healthy"}}


def test_nothing_listens_beyond_this_machine_and_no_password_is_known_before() -> None:
    for service in compose().values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")
        for name, value in service.get("environment", {}).items():
            if "PASSWORD" in name:
                assert value.startswith("${"), name
    one, other = secrets(), secrets()
    assert all(len(value) == 64 and value != other[name] for name, value in one.items())


def test_secrets_are_a_program() -> None:
    assert os.access(DEPLOY / "secrets", os.X_OK)
