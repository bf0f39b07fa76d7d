from __future__ import annotations

import shutil
import subprocess
from typing import Any

import kubernetes_validate
import pytest
from fleetlog_deploy.settings.load import load

from tests.deploy.manifests import KUBERNETES, documents, resources, workloads

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


def test_probes_ask_the_port_that_the_settings_open_and_the_drain_fits_in() -> None:
    (listed,) = documents(KUBERNETES / "kustomization.yaml")
    literals = dict(text.split("=") for text in listed["configMapGenerator"][0]["literals"])
    settings = load(environment=literals).settings
    for name, pod, container in workloads():
        if name == "fleetlog-topics":
            continue
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        http = {"http": settings.web.port} if "web" in container["args"] else {}
        assert ports == {"grpc": settings.server.port, "metrics": settings.metrics.port, **http}
        assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
        sleep = float(container["lifecycle"]["preStop"]["exec"]["command"][1])
        assert sleep + settings.server.drain_seconds < pod["terminationGracePeriodSeconds"]
        assert container["envFrom"] == [{"configMapRef": {"name": "fleetlog"}}, {"secretRef": {"name": "fleetlog"}}]


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
