"""compose.yaml, the Dockerfile and what they start, as far as they can be tried without containers."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fleetlog_deploy.certificates.authority import names_of
from fleetlog_deploy.exposure import check_exposure, metrics_tls_files
from fleetlog_deploy.serve import NEEDS
from fleetlog_deploy.settings.load import load
from fleetlog_deploy.settings.model import KEYS, Settings

from tests.deploy.manifests import DEPLOY, ROOT, compose, documents
from tests.deploy.secured import compose_environment, made_secrets

OURS = ("materializer", "server")
ENGINES = ("kafka", "clickhouse", "minio")
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What deploy/secrets makes."""
    return made_secrets(tmp_path_factory.mktemp("deploy"), "tracking.example.com")


def settings_of(service: str, private: Path) -> Settings:
    """As the process would read them, with the image's own variables."""
    return load(environment=compose_environment(service, private)).settings


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
def test_the_services_have_settings_that_they_can_start_with(name: str, private: Path) -> None:
    service, settings = compose()[name], settings_of(name, private)
    command, *parts = service["command"]
    assert command == "serve"
    for part in parts:
        for needed in NEEDS[part]:
            key = KEYS[needed]
            assert getattr(getattr(settings, key.section), key.name), needed
    assert settings.metrics.port == 9464
    assert "https://127.0.0.1:9464/readyz" in service["healthcheck"]["test"][-1]
    tls = metrics_tls_files(settings.metrics)
    assert tls is not None
    (asked,) = [
        job["tls_config"]["server_name"]
        for one in documents(DEPLOY / "prometheus" / "prometheus.yml")
        for job in one["scrape_configs"]
        if job["scheme"] == "https" and job["dns_sd_configs"][0]["names"] == [name]
    ]
    assert asked in names_of(tls.certificate.read_bytes()), "by which Prometheus knows it"
    assert settings.server.drain_seconds < float(service["stop_grace_period"].removesuffix("s"))
    assert check_exposure(settings, authenticates=settings.auth.enabled) == "", "nobody has to be warned"
    assert not settings.server.insecure


@pytest.mark.parametrize("name", OURS)
def test_all_engines_are_spoken_to_by_tls_and_their_certificates_are_verified(name: str, private: Path) -> None:
    settings = settings_of(name, private)
    trusted = compose_environment(name, private)["FLEETLOG_KAFKA_CA_FILE"]
    assert Path(trusted).read_bytes() == (private / "ca.crt").read_bytes()
    assert (settings.kafka.protocol, settings.kafka.mechanism, settings.kafka.ca_file) == ("SASL_SSL", "PLAIN", trusted)
    assert settings.warehouse.url == f"clickhouses://fleetlog@clickhouse:9440/fleetlog?ca={trusted}"
    assert settings.objects.url.startswith(f"https://minio:9000/fleetlog?ca={trusted}")
    for password in (settings.kafka.password, settings.warehouse.password, settings.objects.secret_key):
        assert re.fullmatch("[0-9a-f]{64}", password)


def test_the_certificates_are_for_the_names_under_which_each_is_asked(private: Path) -> None:
    names = {
        "server": ("localhost", "server", "tracking.example.com"), "kafka": ("kafka",),
        "clickhouse": ("clickhouse", "localhost"), "minio": ("minio", "localhost"),
    }  # fmt: skip
    for name, asked in names.items():
        assert set(asked) <= set(names_of((private / name / "tls.crt").read_bytes())), name
        assert f"./private/{name}:/certificates:ro" in compose()[name]["volumes"], (
            "a folder, so that files may be replaced"
        )


def test_secrets_are_files_and_nothing_else() -> None:
    (whole,) = documents(DEPLOY / "compose.yaml")
    files = {name: one["file"].removeprefix("./private/secrets/") for name, one in whole["secrets"].items()}
    for name, service in compose().items():
        mounted = {one if isinstance(one, str) else one["source"] for one in service.get("secrets", [])}
        assert mounted <= set(files), name
        texts = [*service.get("environment", {}).items(), *(("command", one) for one in service.get("command", []))]
        for variable, text in texts:
            asked = re.findall(r"/run/secrets/([a-z_]+)", str(text))
            assert set(asked) <= mounted, f"{name}: {variable}"
            assert "$" not in str(text), f"{name}: {variable}"
            if re.search("PASSWORD|SECRET|TOKEN|KEY", variable) and variable != "FLEETLOG_OBJECTS_ACCESS_KEY":
                assert variable.endswith("_FILE"), f"{name}: {variable}"


def test_they_are_new_each_time_and_what_is_there_stays(tmp_path: Path, private: Path) -> None:
    other = made_secrets(tmp_path)
    before = {path: path.read_bytes() for path in other.rglob("*") if path.is_file()}
    for path, data in before.items():
        assert data != (private / path.relative_to(other)).read_bytes(), path
    assert made_secrets(tmp_path) == other
    assert {path: path.read_bytes() for path in other.rglob("*") if path.is_file()} == before
    assert stat.S_IMODE(other.stat().st_mode) == 0o700, "what is below may be read by the users of containers"
    assert stat.S_IMODE((other / "ca.key").stat().st_mode) == 0o600
    users = ElementTree.parse(other / "secrets" / "clickhouse_users.xml").getroot()
    assert [(user.tag, user.get("remove")) for user in users.find("users") or ()] == [
        ("default", "remove"), ("fleetlog", None),
    ]  # fmt: skip
    password = (other / "secrets" / "clickhouse_password").read_text()
    assert password not in (other / "secrets" / "clickhouse_users.xml").read_text()


def test_each_container_is_confined() -> None:
    for name, service in compose().items():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service.get("cap_add", []) == (["CHOWN"] if name == "volumes" else []), name
        assert "privileged" not in service, name
    assert compose()["volumes"]["network_mode"] == "none"
    assert compose()["volumes"]["entrypoint"][-5:] == ["chown", "-R", compose()["minio"]["user"], "{}", "+"]
    # The others' images have a user of their own.
    assert {name: compose()[name]["user"] for name in compose() if "user" in compose()[name]} == {
        "clickhouse": "101:101", "minio": "10001:10001", "volumes": "0:0",
    }  # fmt: skip


def test_networks_let_each_reach_what_it_needs() -> None:
    (whole,) = documents(DEPLOY / "compose.yaml")
    assert {name: (one or {}).get("internal", False) for name, one in whole["networks"].items()} == {
        "engines": True, "numbers": True, "outside": False,
    }  # fmt: skip
    on = {name: set(service.get("networks", [])) for name, service in compose().items()}
    assert {name for name, networks in on.items() if "engines" in networks} == {*ENGINES, *OURS, "topics"}
    assert {name for name, networks in on.items() if "outside" in networks} == {
        name for name, service in compose().items() if service.get("ports")
    }


def test_each_waits_for_what_it_needs_to_be_healthy() -> None:
    services = compose()
    assert services["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    assert services["materializer"]["depends_on"]["topics"] == {"condition": "service_completed_successfully"}
    for engine in ENGINES:
        assert services["materializer"]["depends_on"][engine] == {"condition": "service_healthy"}
        assert services[engine]["healthcheck"]["test"]
    assert services["server"]["depends_on"] == {"materializer": {"condition": "service_healthy"}}


def test_nothing_listens_beyond_this_machine() -> None:
    for service in compose().values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def properties() -> dict[str, str]:
    """Kafka's server.properties."""
    text = (DEPLOY / "engines" / "kafka" / "server.properties").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def test_kafka_and_clickhouse_have_no_port_without_tls_that_others_reach(private: Path) -> None:
    kafka, settings = properties(), settings_of("server", private)
    assert kafka["listeners"] == "CLIENTS://:9092,CONTROLLER://localhost:9093"
    assert kafka["advertised.listeners"].partition("://")[2] == settings.log.url.split("/")[2]
    assert kafka["listener.security.protocol.map"] == "CLIENTS:SASL_SSL,CONTROLLER:PLAINTEXT"
    assert kafka["sasl.enabled.mechanisms"] == settings.kafka.mechanism
    assert f"user_{settings.kafka.username}=" in kafka["listener.name.clients.plain.sasl.jaas.config"]
    for name in ("ssl.keystore.location", "ssl.truststore.location"):
        assert (private / "kafka" / Path(kafka[name]).name).exists()
    clickhouse = ElementTree.parse(DEPLOY / "engines" / "clickhouse" / "fleetlog.xml").getroot()
    ports = {one.tag: one.text for one in clickhouse if one.tag.endswith("_port") or one.tag.startswith("tcp_port")}
    assert {name: port for name, port in ports.items() if port} == {"tcp_port_secure": "9440", "https_port": "8443"}
    assert {"tcp_port", "http_port", "interserver_http_port"} <= set(ports)


def test_secrets_are_a_program_and_never_committed() -> None:
    assert os.access(DEPLOY / "secrets", os.X_OK)
    assert "deploy/private/" in (ROOT / ".gitignore").read_text().splitlines()
