"""The files of deploy/, as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"


def documents(path: Path) -> list[Any]:
    """The documents of a YAML file."""
    return list(yaml.safe_load_all(path.read_text()))


def compose() -> Mapping[str, Any]:
    """The services of compose.yaml by name."""
    (found,) = documents(DEPLOY / "compose.yaml")
    services: Mapping[str, Any] = found["services"]
    return services


def resources() -> list[Any]:
    """What the kustomization lists, and the job beside it."""
    (listed,) = documents(KUBERNETES / "kustomization.yaml")
    return [one for name in (*listed["resources"], "topics.yaml") for one in documents(KUBERNETES / name)]


def workloads() -> Iterator[tuple[str, Any, Any]]:
    """(name, pod, its only container) of every deployment and job."""
    for one in resources():
        if one["kind"] in ("Deployment", "Job"):
            pod = one["spec"]["template"]["spec"]
            (container,) = pod["containers"]
            yield one["metadata"]["name"], pod, container
