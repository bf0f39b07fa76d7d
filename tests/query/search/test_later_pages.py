"""All pages of a search together are the search as of the first one, whatever is written between and during them.

Only what is written while the first page is read may be on that page: then the others have the rest.

Random logs; a writer that goes on by single inserts between the pages and between the statements of a page; and the
search as of the position, which tests of its own hold against a fold, once all is quiet.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from fleetlog_core.errors import FailedPrecondition, InvalidArgument
from fleetlog_core.log.port import CONTROL, EVENTS, Partition
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import run_pb2, scope_pb2
from fleetlog_query.calls.base import HELD_BYTES
from fleetlog_query.changes.position import AppliedPositions
from fleetlog_query.order import column_pages, orders
from fleetlog_query.pages import latest_runs
from fleetlog_query.runs.read_mask import parse_read_mask
from fleetlog_query.search import search as search_module
from fleetlog_query.search.search import Search
from fleetlog_query.sql.as_of import AsOf
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.core.warehouse.engines import chdb, clickhouse
from tests.profiles import CI, EXAMPLES, examples
from tests.query.histories import PARTITIONS, Writing, history
from tests.query.random_filters import FILTER, ORDER
from tests.query.searching import searching
from tests.query.stepping import Interrupted, Stepped

SECONDS = 60.0
EXPERIMENTS = (0, 1, 2)
ALL, ACTIVE = scope_pb2.DELETED_VIEW_ALL, scope_pb2.DELETED_VIEW_ACTIVE
MASK = parse_read_mask([])
RUNS = [bytes([1, 139, place]) + random.Random(place).randbytes(13) for place in range(12)]
CHANGING = [
    "metrics.x DESC",
    "metrics.y",
    "tags.x",
    "end_time DESC",
    "state",
    "name",
    "metrics.x - metrics.y",
    "max(metrics.x)",
    "max(metrics.y) DESC",
    "min(metrics.x)",
    "params.x DESC",
]


@dataclass
class Found:
    """What pages brought; `is_loose`: runs changed while the first was read."""

    first: list[run_pb2.Run] = field(default_factory=list)
    is_loose: bool = False
    others: list[run_pb2.Run] = field(default_factory=list)


class Reader:
    """A query service."""

    def __init__(self, warehouse: Warehouse, held_bytes: int = HELD_BYTES) -> None:
        self._searching = searching(warehouse, lambda: 1_700_000_000.0, held_bytes)
        self.searcher = self._searching.searcher

    def pages(self, search: Search, found: Found) -> Iterator[AsOf]:
        """Put a page more into `found` each time, until there is none."""
        position: AsOf | None = None
        while True:
            # As pages of large runs are.
            page = self.searcher.search(search).cut(2)
            self._searching.page_documents.fill(page.query, page.as_of, page.runs, MASK, False)
            if page.as_of is None:
                found.first = page.runs
            else:
                found.others += page.runs
            if page.is_last and page.as_of is None:
                # The only one.
                return
            search = self.searcher.going_on(search, page.token_behind(len(page.runs)))
            assert search.token is not None
            found.is_loose = found.is_loose or search.token.first is not None
            assert position in (None, search.token.position)
            position = search.token.position
            yield position
            if page.is_last:
                return

    def then(self, search: Search, pin: AsOf) -> list[run_pb2.Run]:
        """The whole search as of the position, with all that runs had."""
        search = replace(search, as_of=pin, asked_as_of=b"then", page_size=1_000)
        page = self.searcher.search(search)
        self._searching.page_documents.fill(page.query, page.as_of, page.runs, MASK, False)
        assert page.is_last
        return page.runs


def without_metrics(runs: list[run_pb2.Run], kept: set[str]) -> list[str]:
    """As texts, with some metrics alone."""
    shown = []
    for run in runs:
        copy = run_pb2.Run()
        copy.CopyFrom(run)
        metrics = [metric for metric in copy.metrics if metric.key in kept]
        copy.ClearField("metrics")
        copy.metrics.extend(metrics)
        shown.append(str(copy))
    return shown


def compare_with_the_past(warehouse: Warehouse, scratch: Path, tried: int) -> int:
    """How many runs were compared that had changed by then."""
    migrate(warehouse)
    stepped, compared = Stepped(warehouse), 0
    writing = Writing(stepped, scratch)

    @settings(max_examples=examples(tried), database=None, suppress_health_check=list(HealthCheck))
    @given(
        seed=st.integers(0, 1 << 30), length=st.integers(10, 80), pace=st.sampled_from([1, 3, 12]),
        asked=st.lists(
            st.tuples(st.just("") | FILTER, st.lists(st.sampled_from(CHANGING), min_size=1, max_size=2) | ORDER),
            min_size=2, max_size=4,
        ),
        size=st.integers(1, 3), view=st.sampled_from([ALL, ACTIVE]),
    )  # fmt: skip
    def compare(
        seed: int, length: int, pace: int, asked: list[tuple[str, list[str]]], size: int,
        view: scope_pb2.DeletedView.ValueType,
    ) -> None:  # fmt: skip
        nonlocal compared
        chance, name = random.Random(seed), f"{seed}-{'-'.join(map(str, writing.next_offsets.values()))}"
        records = history(seed, length, RUNS)
        before = chance.randrange(length)
        writing.fold(records[:before], name, chance)

        stepping = threading.Lock()

        def happens() -> None:
            # Some statements are another thread's.
            with stepping:
                for _ in range(chance.randrange(pace + 1) if chance.random() < 0.7 else 0):
                    stepped.step()

        reader = Reader(Interrupted(warehouse, happens), chance.choice([HELD_BYTES, 0]))
        searches = []
        for text, order in asked:
            search = Search(name, EXPERIMENTS, text, tuple(order), size, view)
            found = Found()
            searches.append((search, found, reader.pages(search, found)))
        stepped.begin(lambda: writing.fold(records[before:], name, random.Random(seed)))
        positions: dict[int, AsOf] = {}
        left = list(range(len(searches)))
        while left:
            place = chance.choice(left)
            try:
                positions[place] = next(searches[place][2])
            except (StopIteration, InvalidArgument):
                left.remove(place)
            happens()
        stepped.finish()
        quiet = Reader(warehouse)
        for place in positions:
            search, found, _ = searches[place]
            note(f"{search.filter} ORDER BY {search.order_by} as of {positions[place]}")
            expected = quiet.then(search, positions[place])
            shown = {run.run_id for run in found.first}
            assert len(shown) == len(found.first)
            if not found.is_loose:
                assert [run.run_id for run in found.first] == [run.run_id for run in expected[: len(shown)]]
            expected = [run for run in expected if run.run_id not in shown]
            assert [run.run_id for run in found.others] == [run.run_id for run in expected]
            spoken = {key for key in "xy" if any(f"metrics.{key}" in one for one in search.order_by if "(" not in one)}
            assert without_metrics(found.others, spoken) == without_metrics(expected, spoken)
            now = quiet.then(search, AppliedPositions(warehouse).now())
            compared += sum(str(run) not in set(map(str, now)) for run in expected)

    compare()
    return compared


@pytest.mark.parametrize(
    ("most", "windows", "first", "unsettled"),
    [(5_000, (4_096,), 4_096, 100), (5_000, (2, 4), 1, 100), (3, (4_096,), 4_096, 100), (5_000, (4_096,), 2, 0)],
    ids=["as they are", "short orders", "too many changed", "exact first pages"],
)
@pytest.mark.timeout(900)
def test_pages_are_as_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, windows: tuple[int, ...], first: int, unsettled: int
) -> None:
    monkeypatch.setattr(column_pages, "MOST_CHANGED", most)
    monkeypatch.setattr(orders, "FIRST_RUNS", first)
    monkeypatch.setattr(orders, "GROWTH", 1)
    monkeypatch.setattr(latest_runs, "WINDOWS", windows)
    monkeypatch.setattr(search_module, "UNSETTLED", unsettled)
    with chdb(tmp_path) as warehouse:
        compared = compare_with_the_past(warehouse, tmp_path, 10)
    # A few examples may all be of runs that changed no more.
    assert compared > 0 or EXAMPLES < CI


@pytest.mark.timeout(900)
def test_a_server_answers_the_same(clickhouse_server: str, tmp_path: Path) -> None:
    with clickhouse(clickhouse_server) as warehouse:
        assert compare_with_the_past(warehouse, tmp_path, 8) > 0


def test_what_a_page_costs_and_what_it_refuses(tmp_path: Path) -> None:
    with chdb(tmp_path) as warehouse:
        migrate(warehouse)
        writing, chance, counted = Writing(warehouse, tmp_path), random.Random(1), Interrupted(warehouse, lambda: None)
        writing.fold(history(1, 200, RUNS), "costs", chance)
        searcher = Reader(counted).searcher
        search = Search("costs", EXPERIMENTS, order_by=("name",), page_size=2, deleted_view=ALL)
        later = searcher.going_on(search, searcher.search(search).next_page_token)
        assert len(later.purpose) < 100
        counted.selects = 0
        assert len(searcher.search(later).runs) == 2
        assert counted.selects <= 1, "nothing was written: the attributes of the runs that nobody read before"
        writing.fold(history(2, 3, RUNS), "costs", chance)
        counted.selects = 0
        searcher.search(later)
        assert counted.selects <= 4, "the order is kept: where the log is, what changed, runs as they are and were"
        assert later.token is not None
        assert later.token.position != AppliedPositions(warehouse).now()
        other = replace(search, experiments=(0, 1), asked=EXPERIMENTS)
        behind = searcher.going_on(other, searcher.search(other).next_page_token)
        with pytest.raises(FailedPrecondition) as caught:
            searcher.search(replace(behind, experiments=(0, 2)))
        assert caught.value.reason == "PAGE_TOKEN_OUT_OF_DATE"
    # Tables that were made anew hold the same, or not yet.
    with chdb(tmp_path / "anew") as warehouse:
        migrate(warehouse)
        writing, searcher = Writing(warehouse, tmp_path), Reader(warehouse).searcher
        writing.fold(history(1, 50, RUNS), "costs", chance)
        with pytest.raises(FailedPrecondition) as caught:
            searcher.search(later)
        assert caught.value.reason == "PAGE_TOKEN_OUT_OF_DATE"


def test_a_position_has_all_partitions(tmp_path: Path) -> None:
    with chdb(tmp_path) as warehouse:
        migrate(warehouse)
        positions, writing = AppliedPositions(warehouse), Writing(warehouse, tmp_path)
        assert positions.now() == AsOf((0,), 0)
        number = Partition(EVENTS, 0)
        records = [one for one in history(1, 60) if one[0] == number]
        writing.fold(records, "some", random.Random(1))
        assert positions.now() == AsOf((len(records), *[0] * (PARTITIONS - 1)), 0)
        writing.fold(history(2, 60), "some", random.Random(1))
        found = [writing.next_offsets[Partition(EVENTS, number)] for number in range(PARTITIONS)]
        assert positions.now() == AsOf(tuple(found), writing.next_offsets[Partition(CONTROL, 0)])
