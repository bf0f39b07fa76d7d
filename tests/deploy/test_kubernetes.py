from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
from fleetlog_deploy.exposure import check_exposure, numbers_are_open
from fleetlog_deploy.serve import NEEDS
from fleetlog_deploy.settings.load import load
from fleetlog_deploy.settings.model import KEYS, Settings

from tests.deploy.manifests import KUBERNETES, documents, resources, workloads
from tests.deploy.secured import kubernetes_environment, made_secrets

VERSIONS = ("1.30", "1.33")


def selected(kind: str) -> dict[str, Any]:
    return {one["metadata"]["name"]: one["spec"] for one in resources() if one["kind"] == kind}


@pytest.mark.parametrize("version", VERSIONS)
def test_they_are_what_kubernetes_takes(version: str) -> None:
    for one in resources():
        kubernetes_validate.validate(one, version, strict=True)


def test_the_pods_are_restricted() -> None:
    names = []
    for name, pod, container in workloads():
        names.append(name)
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False, "a Service's address would be taken for a setting"
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        assert "memory" in container["resources"]["limits"]
    assert names == ["fleetlog-server", "fleetlog-materializer", "fleetlog-topics"]


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files as deploy/secrets makes them, with those of an S3 store."""
    found = made_secrets(tmp_path_factory.mktemp("deploy"))
    for name in ("s3_access_key", "s3_secret_key"):
        (found / "secrets" / name).write_text("key")
    return found


def settings_of(deployment: str, private: Path) -> Settings:
    """As the process would read them."""
    return load(environment=kubernetes_environment(deployment, private)).settings


def test_probes_ask_the_port_that_the_settings_open_and_the_drain_fits_in(private: Path) -> None:
    for name, pod, container in workloads():
        if name == "fleetlog-topics":
            continue
        settings = settings_of(name.removeprefix("fleetlog-"), private)
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        served = {"grpc": settings.server.port, "http": settings.web.port} if "web" in container["args"] else {}
        assert ports == {"metrics": settings.metrics.port, **served}
        scheme = {"scheme": "HTTPS"} if settings.metrics.certificate_file else {}
        assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics", **scheme}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics", **scheme}
        sleep = float(container["lifecycle"]["preStop"]["exec"]["command"][1])
        assert sleep + settings.server.drain_seconds < pod["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("name", ["server", "materializer"])
def test_they_can_start_and_nobody_has_to_be_warned(name: str, private: Path) -> None:
    settings = settings_of(name, private)
    (parts,) = [container["args"][1:] for one, _, container in workloads() if one == f"fleetlog-{name}"]
    for needed in (needed for part in parts for needed in NEEDS[part]):
        assert getattr(getattr(settings, KEYS[needed].section), KEYS[needed].name), needed
    assert check_exposure(settings, authenticates=settings.auth.enabled) == ""
    assert not numbers_are_open(settings)
    assert not settings.server.insecure
    assert settings.kafka.protocol == "SASL_SSL"
    assert settings.warehouse.url.startswith("clickhouses://")
    assert settings.objects.url.startswith("https://")
    assert all("?ca=" in url for url in (settings.warehouse.url, settings.objects.url))


def test_secrets_are_mounted_files_and_never_in_the_environment() -> None:
    (listed,) = documents(KUBERNETES / "kustomization.yaml")
    literals = [text.split("=", 1) for one in listed["configMapGenerator"] for text in one["literals"]]
    for variable, text in literals:
        key = next((key for key in KEYS.values() if key.variable == variable.removesuffix("_FILE")), None)
        if key is not None and key.secret and not key.name.endswith("url"):
            assert variable.endswith("_FILE"), variable
            assert text.startswith("/etc/fleetlog/secrets/"), variable
        assert "@" not in text or ":" not in text.partition("://")[2].rpartition("@")[0], "no password in a URL"
    for name, pod, container in workloads():
        assert all(set(source) == {"configMapRef"} for source in container["envFrom"]), name
        assert "env" not in container, name
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        for mount in container["volumeMounts"]:
            assert "subPath" not in mount, "files of those are not replaced when a Secret changes"
            secret = volumes[mount["name"]].get("secret")
            assert secret is None or (secret["defaultMode"], mount["readOnly"]) == (0o440, True)
        assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsUser"]
    mounted = {
        name: {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
        for name, pod, _ in workloads()
    }
    few = {"fleetlog-materializer", "fleetlog-engines-ca"}
    assert mounted["fleetlog-materializer"] == mounted["fleetlog-topics"] == few, (
        "no key of tokens, and no admin's token"
    )
    assert mounted["fleetlog-server"] == {"fleetlog", "fleetlog-engines-ca", "fleetlog-certificate"}


def test_a_certificate_of_cert_manager_is_the_one_that_is_mounted_and_names_the_service() -> None:
    (certificate,) = documents(KUBERNETES / "cert-manager.yaml")
    assert certificate["spec"]["secretName"] == "fleetlog-certificate"
    (listed,) = documents(KUBERNETES / "kustomization.yaml")
    names = certificate["spec"]["dnsNames"]
    assert f"fleetlog.{listed['namespace']}.svc" in names
    literals = dict(text.split("=", 1) for text in listed["configMapGenerator"][1]["literals"])
    assert set(literals["FLEETLOG_WEB_HOSTS"].split(",")) <= set(names)


def test_nothing_comes_in_or_goes_out_but_what_each_part_needs(private: Path) -> None:
    policies = selected("NetworkPolicy")
    assert policies["fleetlog-nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}

    def ports(component: str, way: str) -> set[int]:
        found = set()
        for policy in policies.values():
            chosen = policy["podSelector"]
            among = [value for one in chosen.get("matchExpressions", []) for value in one["values"]]
            only = chosen.get("matchLabels", {}).get("app.kubernetes.io/component")
            if not chosen or component in among or component == only:
                for rule in policy.get(way, []):
                    assert rule.get("from") or rule.get("to"), "not everybody"
                    found |= {port["port"] for port in rule["ports"]}
        return found

    server = settings_of("server", private)
    (kafka,) = {int(address.rpartition(":")[2]) for address in server.log.url.split("/")[2].split(",")}
    engines = {53, kafka, urlsplit(server.warehouse.url).port, urlsplit(server.objects.url).port or 443}
    assert ports("server", "ingress") == {server.server.port, server.web.port, server.metrics.port}
    assert ports("server", "egress") == engines
    assert ports("materializer", "ingress") == {server.metrics.port}
    assert ports("materializer", "egress") == engines
    assert (ports("topics", "ingress"), ports("topics", "egress")) == (set(), {53, kafka})
    for name, pod, _ in workloads():
        assert name.removeprefix("fleetlog-") in ("server", "materializer", "topics"), pod


def test_autoscalers_and_budgets_are_for_deployments_that_are_there() -> None:
    deployments = selected("Deployment")
    assert {spec["scaleTargetRef"]["name"] for spec in selected("HorizontalPodAutoscaler").values()} == set(deployments)
    assert set(selected("PodDisruptionBudget")) == set(deployments)
    for name, budget in selected("PodDisruptionBudget").items():
        assert budget["selector"] == deployments[name]["selector"]
    assert selected("Service")["fleetlog"]["selector"] == deployments["fleetlog-server"]["selector"]["matchLabels"]
    assert all("replicas" not in spec for spec in deployments.values()), "the autoscaler says how many"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl to build the kustomization with")
def test_kustomize_builds_it() -> None:
    built = subprocess.run(["kubectl", "kustomize", str(KUBERNETES)], capture_output=True, text=True, timeout=60)
    assert built.returncode == 0, built.stderr
    assert built.stdout.count("\nkind: Deployment\n") == 2
