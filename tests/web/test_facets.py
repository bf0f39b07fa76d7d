"""Facets: histograms and values of the runs that match, which become terms of the filter."""

from __future__ import annotations

from pathlib import Path

import fleetlog
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web.conftest import SPEEDRUN
from tests.web.pictures import look
from tests.web.tables import open_runs, ready


def open_facet(page: Page, field: str) -> Locator:
    """The facet of a key, once it shows what there is."""
    page.get_by_role("button", name="Facets", exact=True).click()
    page.get_by_label("Search facets").fill(field)
    page.locator(f'[data-facet="{field}"] .facet-name').click()
    return shown(page, field)


def shown(page: Page, field: str) -> Locator:
    facet = page.locator(f'[data-facet="{field}"] .facet')
    expect(facet).to_have_attribute("data-state", "ready")
    return facet


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_bar_of_a_histogram_becomes_the_range_that_it_counts(
    page: Page, speedrun: fleetlog.Client, speedrun_path: str, theme: str, screenshots: Path | None
) -> None:
    open_runs(page, speedrun_path)
    facet = open_facet(page, "metrics.val_loss")
    described = speedrun.describe_key("metrics.val_loss", experiments=SPEEDRUN, bins=24)
    bars = facet.locator(".bars button")
    told = [int(bar.get_attribute("data-runs") or -1) for bar in bars.all()]
    assert told == [one.runs for one in described.bins]
    look(page, screenshots, "facet-histogram", theme)
    most = told.index(max(told))
    bars.nth(most).click()
    expect(page.locator(".count")).to_have_attribute("data-count", str(told[most]))
    ready(page)
    facet = shown(page, "metrics.val_loss")
    assert sum(int(bar.get_attribute("data-runs") or 0) for bar in facet.locator(".bars button").all()) == told[most]


def test_bars_that_are_drawn_over_are_one_range_and_a_range_replaces_the_last(
    page: Page, client: fleetlog.Client, namespace: str
) -> None:
    client.import_runs({"metrics.val_loss": [place / 7 for place in range(48)]}, "facets")
    open_runs(page, f"/n/{namespace}/runs")
    bars = open_facet(page, "metrics.val_loss").locator(".bars button")
    told = [int(bar.get_attribute("data-runs") or -1) for bar in bars.all()]
    first, last = bars.nth(2), bars.nth(9)
    low, high = first.get_attribute("data-low"), last.get_attribute("data-high")
    last.hover()
    page.mouse.down()
    first.hover()
    page.mouse.up()
    expect(page.locator(".count")).to_have_attribute("data-count", str(sum(told[2:10])))
    chips = page.locator(".chip > button:first-child")
    expect(chips).to_have_text([f"metrics.val_loss >= {low}", f"metrics.val_loss < {high}"])
    found = client.search_runs(f"metrics.val_loss >= {low} AND metrics.val_loss < {high}", total="exact")
    assert found.total == sum(told[2:10])
    shown(page, "metrics.val_loss")
    end = page.locator(".bars button").last
    ends = end.get_attribute("data-low"), end.get_attribute("data-high")
    end.press("Enter")
    expect(chips).to_have_text([f"metrics.val_loss BETWEEN {ends[0]} AND {ends[1]}"])


def test_a_value_becomes_a_term_and_counts_are_of_the_runs_that_match(
    page: Page, client: fleetlog.Client, namespace: str, screenshots: Path | None
) -> None:
    models = ["gpt", "gpt", "it's", "mlp", "mlp", "mlp"]
    client.import_runs({"params.model": models, "params.layers": [2, 4, 4, 8, 8, 8]}, "facets")
    open_runs(page, f"/n/{namespace}/runs")
    facet = open_facet(page, "params.model")
    expect(facet.locator("[data-distinct]")).to_have_attribute("data-distinct", "3")
    values = facet.locator(".facet-values button")
    expect(values).to_have_text(["mlp3", "gpt2", "it's1"])
    look(page, screenshots, "facet-values", "light")
    facet.locator('[data-value="it\'s"]').click()
    expect(page.locator(".count")).to_have_attribute("data-count", "1")
    expect(page.locator(".chip > button:first-child")).to_have_text(["params.model = 'it''s'"])
    page.get_by_label("remove params.model = 'it''s'").click()
    expect(page.locator(".count")).to_have_attribute("data-count", "6")
    layers = open_facet(page, "params.layers")
    expect(layers.locator(".facet-values button")).to_have_text(["83", "42", "21"])
    layers.locator('[data-value="4"]').click()
    expect(page.locator(".count")).to_have_attribute("data-count", "2")


def test_a_metric_of_nan_alone_has_no_bars(page: Page, client: fleetlog.Client, namespace: str) -> None:
    client.import_runs({"metrics.loss": [float("nan"), float("nan")]}, "facets")
    open_runs(page, f"/n/{namespace}/runs")
    expect(open_facet(page, "metrics.loss")).to_contain_text("No number to show.")


def test_experiments_are_ordered_found_and_counted(
    page: Page, client: fleetlog.Client, namespace: str, embedded_target: str, screenshots: Path | None
) -> None:
    for name, count in (("older", 3), ("newer", 2)):
        client.import_runs({"metrics.loss": [1.0] * count}, name)
    client.delete_run(client.search_runs(experiments="older", limit=1)[0])
    with fleetlog.start_run("running", target=embedded_target, namespace=namespace):
        fleetlog.flush(level="applied", target=embedded_target)
        page.goto(f"/n/{namespace}/experiments")
        rows = page.locator("tr[data-experiment]")
        expect(rows.first).to_contain_text("running")
        expect(rows.first.locator("td").nth(2)).to_have_text("1")
        look(page, screenshots, "experiments-activity", "light")
        page.get_by_role("button", name="Name", exact=True).click()
        expect(rows.locator("td:first-child")).to_have_text(["Default", "newer", "older", "running"])
        expect(rows.locator("td:nth-child(2)")).to_have_text(["0", "2", "2", "1"])
        page.get_by_label("Search experiments").fill("OLD")
        expect(rows.locator("td:first-child")).to_have_text(["older"])
    page.get_by_label("Search experiments").fill("nothing at all")
    expect(page.get_by_text("No experiment has that name")).to_be_visible()
