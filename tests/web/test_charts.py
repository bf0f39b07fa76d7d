"""Charts: what they show is what was logged."""

from __future__ import annotations

import re
from pathlib import Path

import fleetlog
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web.pictures import look
from tests.web.pixels import picture

FIRST_COLOUR = "#2563c9"
SPIKE_STEP = 61_234
SPIKE = 100.5


def logged(
    target: str, namespace: str, name: str, key: str, steps: list[int], values: list[float], **params: object
) -> str:
    """The id of a run with one series."""
    with fleetlog.start_run("charts", name, params=params, target=target, namespace=namespace) as run:
        run.log_series(key, steps=steps, values=values)
    return run.id


def card(page: Page, metric: str) -> Locator:
    """The card of a metric, once it shows its curves."""
    found = page.locator(f'.card[data-metric="{metric}"]')
    expect(found).to_have_attribute("data-state", "ready")
    return found


@pytest.fixture
def spiky(embedded_target: str, namespace: str) -> str:
    steps = list(range(100_000))
    values = [1 + (step % 7) / 1000 for step in steps]
    values[SPIKE_STEP] = SPIKE
    run = logged(embedded_target, namespace, "spiky", "loss", steps, values)
    fleetlog.flush(level="applied", target=embedded_target)
    return run


def test_a_lone_spike_among_100000_points_is_seen_where_it_is(page: Page, spiky: str, namespace: str) -> None:
    page.goto(f"/n/{namespace}/runs")
    shown = card(page, "loss").locator(".u-over")
    box = shown.bounding_box()
    assert box is not None
    seen = picture(shown)
    column = round(SPIKE_STEP / 99_999 * box["width"])
    # Halfway up there is nothing but the spike, painted at less than half of its colour's strength.
    assert seen.has_near(column, seen.height // 2, FIRST_COLOUR, tolerance=330)
    assert not seen.has_near(column // 2, seen.height // 2, FIRST_COLOUR, tolerance=330)


def test_zooming_to_it_shows_the_points_as_they_were_logged(page: Page, spiky: str, namespace: str) -> None:
    page.goto(f"/n/{namespace}/runs?x={SPIKE_STEP - 20}..{SPIKE_STEP + 20}")
    shown = card(page, "loss")
    expect(shown.locator(".plot")).to_have_attribute("data-raw", "true")
    expect(shown.locator(".plot")).to_have_attribute("data-points", "41")
    over = shown.locator(".u-over")
    box = over.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.06)
    tooltip = shown.locator(".tooltip")
    expect(tooltip).to_contain_text(str(SPIKE))
    expect(tooltip).to_contain_text(f"step {SPIKE_STEP:,}")


def test_a_drag_zooms_all_cards_and_is_undone(page: Page, embedded_target: str, namespace: str) -> None:
    for key in ("a", "b"):
        logged(embedded_target, namespace, key, key, list(range(1000)), [float(step) for step in range(1000)])
    fleetlog.flush(level="applied", target=embedded_target)
    page.goto(f"/n/{namespace}/runs")
    box = card(page, "a").locator(".u-over").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, middle, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"x=2\d\d\.\.(49|50)\d"))
    for key in ("a", "b"):
        expect(card(page, key).locator(".plot")).to_have_attribute("data-points", re.compile(r"^2\d\d$"))
    card(page, "b").get_by_text("undo zoom").click()
    expect(card(page, "a").locator(".plot")).to_have_attribute("data-points", re.compile(r"^[3-9]\d\d$|^1000$"))
    assert "x=" not in page.url


def test_nan_leaves_a_gap_and_a_logarithmic_axis_leaves_out_what_it_has_no_place_for(
    page: Page, embedded_target: str, namespace: str
) -> None:
    steps = list(range(101))
    values = [float("nan") if 40 < step < 60 else 5.0 for step in steps]
    values[100] = -1.0
    logged(embedded_target, namespace, "gap", "loss", steps, values)
    fleetlog.flush(level="applied", target=embedded_target)
    page.goto(f"/n/{namespace}/runs")
    shown = card(page, "loss")
    seen = picture(shown.locator(".u-over"))
    columns = {
        share: any(seen.has_near(round(seen.width * share), row, FIRST_COLOUR, 1) for row in range(seen.height))
        for share in (0.3, 0.5, 0.7)
    }
    assert columns == {0.3: True, 0.5: False, 0.7: True}
    expect(shown).to_have_attribute("data-not-shown", "0")
    page.get_by_role("button", name="log y").click()
    expect(shown).to_have_attribute("data-not-shown", "1")
    expect(shown).to_contain_text("1 not shown")


def test_groups_have_the_mean_of_their_runs_and_say_of_how_many(
    page: Page, embedded_target: str, namespace: str
) -> None:
    for lr, seeds in ((0.1, (1, 2, 3)), (0.2, (4, 6))):
        for value in seeds:
            logged(embedded_target, namespace, f"{lr}", "loss", list(range(50)), [float(value)] * 50, lr=lr)
    fleetlog.flush(level="applied", target=embedded_target)
    page.goto(f"/n/{namespace}/runs?g=params.lr")
    shown = card(page, "loss")
    expect(shown.locator(".plot")).to_have_attribute("data-curves", "2")
    box = shown.locator(".u-over").bounding_box()
    assert box is not None
    found = []
    for share in range(4, 96, 4):
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * share / 100)
        tooltip = shown.locator(".tooltip")
        if tooltip.is_visible():
            found.append(tooltip.inner_text().replace("\n", " "))
    assert any(text.startswith("0.1 2 ") and text.endswith("n = 3") for text in found), found
    assert any(text.startswith("0.2 5 ") and text.endswith("n = 2") for text in found), found


def test_a_row_under_the_cursor_lifts_its_curve_in_every_card(page: Page, embedded_target: str, namespace: str) -> None:
    runs = [
        logged(embedded_target, namespace, f"{place}", "loss", list(range(100)), [float(place)] * 100)
        for place in range(3)
    ]
    fleetlog.flush(level="applied", target=embedded_target)
    page.goto(f"/n/{namespace}/runs")
    shown = card(page, "loss")
    page.locator(f'.grid .row[data-run="{runs[1]}"]').hover()
    expect(shown.locator("canvas.lifted")).to_have_attribute("data-curve", runs[1])


def test_smoothing_shows_in_the_address_and_the_unsmoothed_curve_stays(
    page: Page, embedded_target: str, namespace: str
) -> None:
    values = [float(step % 2) for step in range(200)]
    logged(embedded_target, namespace, "noise", "loss", list(range(200)), values)
    fleetlog.flush(level="applied", target=embedded_target)
    page.goto(f"/n/{namespace}/runs")
    shown = card(page, "loss")
    before = picture(shown.locator(".u-over")).count(FIRST_COLOUR)
    page.locator(".smoothing input").fill("6")
    expect(page).to_have_url(re.compile("s=50"))
    after = picture(card(page, "loss").locator(".u-over")).count(FIRST_COLOUR)
    assert 0 < after < before / 2, "one calm line in place of two hundred strokes"


def test_a_card_without_points_says_so_and_others_are_shown(page: Page, embedded_target: str, namespace: str) -> None:
    logged(embedded_target, namespace, "one", "loss", [1], [1.0])
    fleetlog.flush(level="applied", target=embedded_target)
    page.goto(f"/n/{namespace}/runs?c=nothing&c=loss")
    expect(page.locator('.card[data-metric="nothing"]')).to_have_attribute("data-state", "empty")
    card(page, "loss")


def test_groups_of_all_runs_are_what_the_client_puts_together(
    page: Page, client: fleetlog.Client, namespace: str, screenshots: Path | None
) -> None:
    runs = 60
    steps = list(range(40))
    for place in range(runs):
        model = ("gpt", "mlp")[place % 2]
        with fleetlog.start_run(
            "sweep", f"run {place}", params={"model": model}, target=client.target, namespace=namespace
        ) as run:
            run.log_series("loss", steps=steps, values=[place + 1 / (1 + step) for step in steps])
    fleetlog.flush(level="applied", target=client.target)
    page.goto(f"/n/{namespace}/runs?g=params.model&c=loss")
    charted = card(page, "loss")
    expect(charted.locator("[data-grouped-runs]")).to_have_count(0)
    page.get_by_role("button", name="All runs", exact=True).click()
    expect(charted.locator("[data-grouped-runs]")).to_have_attribute("data-grouped-runs", str(runs))
    expect(charted.locator(".plot")).to_have_attribute("data-curves", "2")
    expect(page.locator(".legend li")).to_have_text(["gpt", "mlp"])
    found = client.aggregate_metric("loss", group_by="params.model")
    assert [(one.values["params.model"], one.runs) for one in found] == [("gpt", runs // 2), ("mlp", runs // 2)]
    look(page, screenshots, "groups-of-all-runs", "light")
    page.get_by_label("Filter", exact=True).fill("params.model = 'mlp'")
    page.keyboard.press("Enter")
    expect(charted.locator("[data-grouped-runs]")).to_have_attribute("data-grouped-runs", str(runs // 2))
    expect(page.locator(".legend li")).to_have_text(["mlp"])
    page.get_by_role("button", name="All runs", exact=True).click()
    expect(charted.locator("[data-grouped-runs]")).to_have_count(0)
