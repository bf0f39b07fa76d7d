"""Runs, lists and selections as a notebook shows them: HTML that is read here without a browser."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any, Unpack
from xml.etree import ElementTree

import fleetlog
from fleetlog._values.as_of import AsOf
from fleetlog._views import markup
from fleetlog._views.selection import Selection
from fleetlog._views.series import Branch, Buckets, Series, Which
from fleetlog._views.views import RunList, RunView
from fleetlog.errors import Unavailable
from fleetlog_proto.v1 import event_pb2, metric_pb2, run_pb2, selection_pb2

HOSTILE = '<img src=x onerror="alert(1)">\u202e&'


class Server:
    """A reader whose curves fall from 3 to 1, with a web UI or without, or that is away."""

    def __init__(self, web: str | None = "http://ui", *, away: bool = False) -> None:
        self._web, self._away = web, away
        self.asked: list[tuple[Sequence[str], Sequence[str], AsOf | None]] = []

    def read_metric(
        self, run_id: str, key: str, *, branch: Branch | None = None, last: int | None = None, **which: Unpack[Which]
    ) -> Series:
        raise AssertionError("a table reads no points")

    def read_buckets(
        self, run_id: str, key: str, buckets: int, *, branch: Branch | None = None, **which: Unpack[Which]
    ) -> Buckets:
        raise AssertionError("all curves are read at once")

    def read_curves(
        self, run_ids: Sequence[str], keys: Sequence[str], buckets: int = 1000, *, as_of: AsOf | None = None
    ) -> list[Buckets]:
        self._answer()
        self.asked.append((list(run_ids), list(keys), as_of))
        chunk = metric_pb2.BucketChunk()
        chunk.steps, chunk.counts = bytes(24), bytes(24)
        chunk.mins = chunk.maxs = chunk.means = b"".join(map(float_bytes, (3.0, 2.0, 1.0)))
        return [Buckets(key, [chunk], run_id) for run_id in run_ids for key in keys]

    def run_url(self, run_id: str) -> str | None:
        self._answer()
        return None if self._web is None else f"{self._web}/n/default/runs/{run_id}"

    def _answer(self) -> None:
        if self._away:
            raise Unavailable("SERVER_UNAVAILABLE", "nobody answers")


def float_bytes(value: float) -> bytes:
    return struct.pack("<d", value)


def run(place: int = 1, **fields: Any) -> run_pb2.Run:
    made = run_pb2.Run(
        run_id=f"{place:032x}", name=f"run {place}", state=event_pb2.RUN_STATE_FINISHED, start_time_millis=1_000,
        end_time_millis=91_000, tags={"team": "b"},
        params=[event_pb2.Param(key="seed", whole=7), event_pb2.Param(key="lr", real=place / 3)],
    )  # fmt: skip
    made.metrics.add(key="loss", last=1 / 3, last_step=7, last_time_millis=2_000)
    made.MergeFrom(run_pb2.Run(**fields))
    return made


class Shown(HTMLParser):
    """What a reader sees of HTML: elements with their attributes, and rows of cells. Any fault of nesting fails."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self._cell: list[str] | None = None
        ElementTree.fromstring(source)
        self.feed(source)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._cell = []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag in ("td", "th") and self._cell is not None:
            self.rows[-1].append("".join(self._cell))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None and self._open[-1] != "title":
            self._cell.append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)

    @property
    def links(self) -> list[str | None]:
        return [attributes["href"] for tag, attributes in self.elements if tag == "a"]


def shown(value: object) -> Shown:
    source = value._repr_html_()  # type: ignore[attr-defined]
    found = Shown(source)
    # It stands on whatever ground the notebook has, and acts on nothing.
    styles = "".join(attributes.get("style") or "" for _, attributes in found.elements)
    assert not re.search(r"#[0-9a-f]{3}|black|white\b(?!-)|url", styles.replace("white-space", ""))
    assert not [
        name for tag, attributes in found.elements for name in attributes if name.startswith("on") or tag == "script"
    ]
    return found


def test_a_run_shows_its_metrics_with_curves_its_params_and_a_link() -> None:
    server = Server()
    found = shown(RunView(run(), server))
    assert found.rows == [
        ["metric", "last", ""], ["loss", "0.3333", ""],
        ["params.seed", "7"], ["params.lr", "0.3333"], ["tags.team", "b"],
    ]  # fmt: skip
    assert found.links == [f"http://ui/n/default/runs/{1:032x}"]
    assert found.count("polyline") == 1
    assert ("span", {"title": repr(1 / 3)}) in found.elements
    assert server.asked == [([f"{1:032x}"], ["loss"], None)]


def test_a_run_of_a_past_moment_has_the_curves_of_then() -> None:
    server, then = Server(), fleetlog.Position((("events", 0, 5),))
    shown(RunView(run(), server, then))
    assert server.asked[0][2] == then


def test_what_runs_carry_is_text() -> None:
    made = run(name=HOSTILE, tags={HOSTILE: HOSTILE}, params=[event_pb2.Param(key=HOSTILE, text=HOSTILE)])
    made.metrics.add(key=HOSTILE, last=math.nan)
    made.problems.add(reason="X", message=HOSTILE)
    for value in (RunView(made, Server()), RunList([RunView(made, Server())])):
        found = shown(value)
        assert {tag for tag, _ in found.elements} <= {
            "div", "span", "a", "table", "thead", "tr", "td", "th", "svg", "title", "polyline", "circle",
        }  # fmt: skip
        cells = [cell for row in found.rows for cell in row]
        assert any("\\u202e" in cell for cell in cells)
        assert not any("\u202e" in cell for cell in cells)


def test_a_list_shows_what_differs_first_and_how_many_there_are() -> None:
    runs = [RunView(run(place), Server()) for place in range(1, 31)]
    runs[0].metrics.clear()
    found = shown(RunList(runs))
    assert found.rows[0] == ["name", "state", "lr", "seed", "loss", "loss"]
    assert found.rows[2] == ["run 2", "finished, 1.5 min", "0.6667", "7", "0.3333", ""]
    assert found.rows[1][4] == ""
    assert len(found.rows) == 21
    assert "20 of 30 runs" in RunList(runs)._repr_html_()
    assert "20 of 12,345 runs" in RunList(runs, 12_345)._repr_html_()
    assert "no runs" in RunList([])._repr_html_()


def test_a_server_that_is_away_or_has_no_pages_leaves_the_table() -> None:
    for server in (Server(away=True), Server(web=None)):
        found = shown(RunList([RunView(run(), server)]))
        assert (found.links, found.rows[1][0]) == ([], "run 1")
    assert shown(RunView(run(), Server(away=True))).count("polyline") == 0


def test_a_selection_shows_groups_with_their_spread_and_best_run() -> None:
    response = selection_pb2.SelectRunsResponse(candidates=9, compared=6, groups_compared=2)
    group = response.groups.add(rank=1, count=3, reason="best", runs=[run()], run_values=[0.25])
    group.values.add(key="params.lr", value="0.1")
    group.values.add(key="params.none")
    group.objectives.add(value=0.25, std=0.125)
    request = selection_pb2.SelectRunsRequest(objectives=[selection_pb2.Objective(value="metrics.loss")])
    found = shown(Selection.of(response, request, Server()))
    assert found.rows == [
        ["rank", "group", "runs", "metrics.loss", "best run"],
        ["1", "params.lr = 0.1, params.none = —", "3", "0.25 ± 0.125", "run 1"],
    ]
    assert len(found.links) == 1
    assert "1 of 2, from 9 runs" in Selection.of(response, request, Server())._repr_html_()


def test_a_curve_reaches_from_the_lowest_to_the_highest_and_nan_breaks_it() -> None:
    broken = markup.curve([0.0, 10.0, math.nan, 5.0, math.nan, 1.0, 2.0], "loss")
    assert re.findall(r'points="([^"]*)"', broken) == ["2.0,20.0 21.3,2.0", "98.7,18.2 118.0,16.4"]
    assert broken.count("<circle") == 1
    assert markup.curve([math.nan, math.inf], "loss") == markup.curve([], "loss") == ""
    assert 'points="2.0,11.0 118.0,11.0"' in markup.curve([4.0, 4.0], "flat")
    assert "nan" not in markup.curve([-1.7e308, 1.7e308], "wide")
