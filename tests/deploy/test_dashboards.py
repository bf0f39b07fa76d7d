"""What Prometheus and Grafana ask for is what fleetlog tells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
from fleetlog_core.serving.telemetry import Telemetry

from tests.deploy.manifests import DEPLOY, compose, documents

OTHERS = {"up"}


def told() -> dict[str, set[str]]:
    """Every number's name → the names of its labels."""
    found: dict[str, set[str]] = {}
    telemetry = Telemetry()
    for collector in vars(telemetry).values():
        labels = getattr(collector, "_labelnames", None)
        if labels is not None:
            for family in collector.describe():
                for suffix in ("", "_total", "_bucket", "_count", "_sum"):
                    found[family.name + suffix] = {*labels, "le"}
    for family in telemetry.registry.collect():
        found.setdefault(family.name, {"partition"})
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """(where, expression) of panels and alerts."""
    dashboard = json.loads((DEPLOY / "grafana/dashboards/fleetlog.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for group in documents(DEPLOY / "prometheus/alerts.yml")[0]["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


def selectors(node: Any) -> Iterator[Any]:
    """The vector selectors of an expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "vector_selector"):
        child = getattr(node, name, None)
        if child is not None:
            yield from selectors(child)
    for argument in getattr(node, "args", None) or ():
        yield from selectors(argument)


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_expressions_are_right_and_ask_for_what_is_there(where: str, expression: str) -> None:
    found = list(selectors(promql_parser.parse(expression.replace("$__rate_interval", "5m"))))
    assert found, where
    numbers = told()
    for selector in found:
        if selector.name not in OTHERS:
            assert selector.name in numbers, where
            asked = {matcher.name for matcher in selector.matchers.matchers}
            assert asked <= numbers[selector.name], where


def test_every_alert_says_what_it_means() -> None:
    for group in documents(DEPLOY / "prometheus/alerts.yml")[0]["groups"]:
        for rule in group["rules"]:
            assert rule["annotations"]["summary"]
            assert rule["labels"]["severity"] in ("page", "ticket")


def test_prometheus_looks_where_the_services_are() -> None:
    (config,) = documents(DEPLOY / "prometheus/prometheus.yml")
    names: list[str] = []
    for job in config["scrape_configs"]:
        (found,) = job["dns_sd_configs"]
        # Each certificate is of one service, and all are one job to who asks.
        assert found["names"] == [job["tls_config"]["server_name"]]
        jobs = [rule["replacement"] for rule in job.get("relabel_configs", ()) if rule["target_label"] == "job"]
        assert (jobs or [job["job_name"]]) == ["fleetlog"]
        assert found["port"] == 9464
        names += found["names"]
    assert len(names) == len(set(names))
    assert {"server", "materializer"} <= set(names) <= set(compose())
    assert all((DEPLOY / "prometheus" / name).is_file() for name in config["rule_files"])


def test_panels_don_t_overlap_and_use_the_provisioned_source() -> None:
    dashboard = json.loads((DEPLOY / "grafana/dashboards/fleetlog.json").read_text())
    (source,) = documents(DEPLOY / "grafana/provisioning/datasources/prometheus.yaml")[0]["datasources"]
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        if "datasource" in panel:
            assert panel["datasource"]["uid"] == source["uid"]
