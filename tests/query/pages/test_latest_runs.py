"""Searches by start time look at the latest runs first, and find what a look at all runs finds."""

from __future__ import annotations

import random

import fleetlog
import pytest
from fleetlog_core.ids import new_run_id
from fleetlog_query.changes.held import Held
from fleetlog_query.pages import latest_runs as window
from fleetlog_query.sql.scope import Scope

EXPERIMENT = "windows"


@pytest.fixture(autouse=True)
def by_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the columns do not fit the memory."""
    monkeypatch.setattr(Held, "held_bytes", 0)


@pytest.fixture(scope="module")
def starts(embedded_target: str) -> dict[str, int]:
    """Runs whose ids were made when they started, but for some: by hours before, by hours after, or by chance."""
    rng = random.Random(3)
    found: dict[str, int] = {}
    for place in range(120):
        start = 1_700_000_000_000 + place * 1_000 // 3
        made = {7: start - 20_000, 11: start + 20_000}.get(place % 40, start)
        run_id = new_run_id(made, rng.randbytes(10)).hex()
        run = fleetlog.start_run(EXPERIMENT, run_id=run_id, start_time=start, target=embedded_target)
        run.log({"x": place % 3}, step=1)
        run.finish(wait=False)
        found[run_id] = start
    fleetlog.flush(level="applied", target=embedded_target)
    return found


@pytest.mark.parametrize("windows", [(8, 32), (1, 2), (64,), (1_000,)])
@pytest.mark.parametrize("filter_text", ["", "metrics.x = 1", "metrics.x = 7"])
def test_a_narrow_window_finds_the_same(
    embedded_target: str, starts: dict[str, int], monkeypatch: pytest.MonkeyPatch, windows: tuple[int, ...],
    filter_text: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(window, "WINDOWS", windows)
    client = fleetlog.Client(embedded_target)
    order = sorted(starts, key=lambda run_id: (-starts[run_id], run_id))
    places = {run_id: place for place, run_id in enumerate(starts)}
    expected = [run_id for run_id in order if not filter_text or places[run_id] % 3 == int(filter_text[-1])]
    for limit in (1, 5, 100, None):
        found = client.search_runs(filter_text, experiments=[EXPERIMENT], limit=limit, read_mask=["attributes"])
        assert [run.id for run in found] == expected[:limit]


@pytest.mark.parametrize(
    ("rows", "needed", "size"),
    [(10, 11, 16_384), (3, 11, 65_536), (1, 11, 262_144), (0, 11, 262_144), (0, 101, None), (5_000, 11, 16_384)],
)
def test_the_next_window_is_as_wide_as_the_last_one_was_poor(rows: int, needed: int, size: int | None) -> None:
    first = window.Window(Scope("default", (1,)), 4_096, 0, wide=False)
    assert window.wider(window.WindowMiss(first, rows, needed)) == size
    last = window.Window(Scope("default", (1,)), 262_144, 0, wide=True)
    assert window.wider(window.WindowMiss(last, rows, needed)) is None


def test_pages_of_windows_together_are_the_whole(
    embedded_target: str, starts: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fleetlog._transport.connection import connection_to
    from fleetlog_proto.v1 import query_pb2

    monkeypatch.setattr(window, "WINDOWS", (10, 30))
    connection = connection_to(embedded_target)
    request = query_pb2.SearchRunsRequest(experiment_names=[EXPERIMENT], page_size=7, read_mask=["attributes"])
    pages: list[str] = []
    while True:
        response = connection.call(connection.query.SearchRuns, request)
        pages += [run.run_id for run in response.runs]
        request.page_token = response.next_page_token
        if not request.page_token:
            break
    assert pages == sorted(starts, key=lambda run_id: (-starts[run_id], run_id))
