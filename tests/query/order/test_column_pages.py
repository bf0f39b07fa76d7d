"""What is held in memory finds and shows what statements do, while runs come, change and go."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from fleetlog_core.errors import InvalidArgument
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import query_pb2, scope_pb2
from fleetlog_query.calls.base import HELD_BYTES
from fleetlog_query.column_cache import column_reads, conditions, ranking, scope_columns
from fleetlog_query.order import column_pages
from fleetlog_query.pages import latest_runs
from fleetlog_query.runs.documents import Documents
from fleetlog_query.runs.read_mask import parse_read_mask
from fleetlog_query.search.search import Search
from fleetlog_query.sql.branches import BranchedNamespaces
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.core.warehouse.engines import chdb, clickhouse
from tests.profiles import examples
from tests.query.histories import Writing, history
from tests.query.random_filters import FILTER, ORDER
from tests.query.searching import searching
from tests.query.stepping import Interrupted

SECONDS = 60.0
EXPERIMENTS = (0, 1, 2)
ALL, ACTIVE, DELETED = scope_pb2.DELETED_VIEW_ALL, scope_pb2.DELETED_VIEW_ACTIVE, scope_pb2.DELETED_VIEW_DELETED
RUNS = [bytes([1, 139, place]) + random.Random(place).randbytes(13) for place in range(24)]
MASKS: tuple[list[str], ...] = ([], ["attributes"], ["metrics.x", "tags"], ["params", "datasets"])


def compare_with_statements(warehouse: Warehouse, scratch: Path, tried: int) -> None:
    """Questions about one namespace, in which some records more are folded now and then."""
    migrate(warehouse)
    writing, chance = Writing(warehouse, scratch), random.Random(tried)
    counted = Interrupted(warehouse, lambda: None)
    columns = searching(counted, lambda: 1_700_000_000.0)
    held, kept = columns.searcher, columns.documents
    plain = searching(warehouse, lambda: 1_700_000_000.0, held_bytes=0).searcher
    fresh = Documents(warehouse, BranchedNamespaces(warehouse).tables)
    records = history(tried, 400, RUNS)
    writing.fold(records[:160], "n", chance)
    del records[:160]

    @settings(max_examples=examples(tried), database=None, suppress_health_check=list(HealthCheck))
    @given(
        text=st.just("") | FILTER, order=st.just([]) | ORDER, size=st.sampled_from([5, 1_000, 1_000]),
        view=st.sampled_from([ALL, ACTIVE, DELETED]), mask=st.sampled_from(MASKS), summaries=st.booleans(),
        more=st.integers(0, 5),
    )  # fmt: skip
    def compare(
        text: str, order: list[str], size: int, view: scope_pb2.DeletedView.ValueType, mask: list[str],
        summaries: bool, more: int,
    ) -> None:  # fmt: skip
        note(f"{text} ORDER BY {order}")
        if more == 0:
            writing.fold(records[:4], "n", chance)
            del records[:4]
        exact = query_pb2.TOTAL_COUNT_EXACT
        search = Search("n", EXPERIMENTS, text, tuple(order), size, deleted_view=view, total_count=exact)
        while True:
            try:
                expected = plain.search(search)
            except InvalidArgument:
                # More look-ups than a statement may have.
                return
            found = held.search(search)
            assert [str(run) for run in found.runs] == [str(run) for run in expected.runs]
            assert found.total == expected.total
            assert bool(found.next_page_token) == bool(expected.next_page_token)
            if not found.next_page_token or search.token:
                break
            # A page that a statement told goes on by columns, and the other way round.
            search = held.going_on(search, chance.choice([found, expected]).next_page_token)
        if more == 1:
            read_mask = parse_read_mask(mask)
            shown = fresh.read("n", RUNS, read_mask, summaries)
            assert kept.read("n", RUNS, read_mask, summaries) == shown
            counted.selects = 0
            there = [bytes.fromhex(run.run_id) for run in shown]
            assert kept.read("n", there, read_mask, summaries) == shown
            assert counted.selects == 0 or warehouse.version("runs") is None, "nothing changed"

    compare()


@pytest.mark.parametrize("small", [False, True], ids=["as they are", "small bounds"])
def test_columns_find_what_statements_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: bool) -> None:
    if small:
        monkeypatch.setattr(column_reads, "FEW", 1)
        monkeypatch.setattr(column_reads, "MANY_KEYS", 1)
        monkeypatch.setattr(scope_columns, "TEXT_BYTES", 20)
        monkeypatch.setattr(ranking, "_SORTED", 0)
        monkeypatch.setattr(conditions, "PATTERN_STEPS", 100)
    with chdb(tmp_path) as warehouse:
        compare_with_statements(warehouse, tmp_path, 150)


def test_of_very_many_runs_only_what_is_held_and_current_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    with chdb(tmp_path) as warehouse:
        migrate(warehouse)
        writing, chance = Writing(warehouse, tmp_path), random.Random(7)
        counted = Interrupted(warehouse, lambda: None)
        held, plain = searching(counted).searcher, searching(warehouse, held_bytes=0).searcher
        records = history(7, 60, RUNS)
        writing.fold(records[:40], "n", chance)
        search = Search("n", EXPERIMENTS, order_by=("metrics.x DESC",), page_size=1_000, deleted_view=ALL)
        first = held.search(search).runs
        # What changed is asked for behind the first look.
        held.search(search)
        monkeypatch.setattr(latest_runs, "WIDE_RUNS", 1)
        counted.selects = 0
        assert held.search(search).runs == first
        assert counted.selects == 0
        assert held.search(replace(search, order_by=("metrics.y",))).runs
        assert counted.selects > 0, "a column that is not held"
        writing.fold(records[40:], "n", chance)
        assert held.search(search).runs == plain.search(search).runs


def test_many_keys_are_read_by_one_statement(tmp_path: Path) -> None:
    with chdb(tmp_path) as warehouse:
        migrate(warehouse)
        writing, records = Writing(warehouse, tmp_path), history(7, 60, RUNS)
        writing.fold(records[:40], "n", random.Random(7))
        counted = Interrupted(warehouse, lambda: None)
        plain = searching(warehouse, held_bytes=0).searcher
        few, many = (Search("n", EXPERIMENTS, filter_over(count), page_size=5, deleted_view=ALL) for count in (4, 30))
        searchers = [(searching(counted).searcher, search) for search in (few, many)]
        for _ in ("all of them", "what changed"):
            selects = []
            for held, search in searchers:
                counted.selects = 0
                first, expected = held.search(search), plain.search(search)
                assert first.runs == expected.runs
                second = held.search(held.going_on(search, first.next_page_token))
                selects.append(counted.selects)
                assert second.runs == plain.search(plain.going_on(search, expected.next_page_token)).runs
            assert selects[1] <= selects[0]
            writing.fold(records[40:50], "n", random.Random(7))
            del records[40:50]


def test_columns_are_not_renewed_for_a_statement_to_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_pages, "MOST_CHANGED", 0)
    with chdb(tmp_path) as warehouse:
        migrate(warehouse)
        writing, records = Writing(warehouse, tmp_path), history(7, 60, RUNS)
        writing.fold(records[:40], "n", random.Random(7))
        counted = Interrupted(warehouse, lambda: None)
        search = Search("n", EXPERIMENTS, order_by=("metrics.x", "metrics.y DESC"), page_size=2, deleted_view=ALL)
        searchers = [searching(counted, held_bytes=held).searcher for held in (HELD_BYTES, 0)]
        tokens = [searcher.search(search).next_page_token for searcher in searchers]
        writing.fold(records[40:], "n", random.Random(7))
        pages, selects = [], []
        for searcher, token in zip(searchers, tokens, strict=True):
            counted.selects = 0
            pages.append(searcher.search(searcher.going_on(search, token)).runs)
            selects.append(counted.selects)
        assert pages[0] == pages[1]
        assert selects[0] == selects[1], "the columns, which were held, were asked of nothing"


def filter_over(count: int) -> str:
    """Conditions on many keys: latest values, texts, and functions of metrics."""
    return " OR ".join(
        f"metrics.{key} > 0 OR tags.{key} LIKE 'a%' OR params.{key} IN ('a', '1') OR max(metrics.{key}) < 1"
        f" OR first(metrics.{key}) = 2 OR mean(metrics.{key}) > 1"
        for key in ("x", "y", *(f"k{place}" for place in range(count - 2)))
    )


@pytest.mark.timeout(900)
def test_a_server_answers_the_same(clickhouse_server: str, tmp_path: Path) -> None:
    with clickhouse(clickhouse_server) as warehouse:
        compare_with_statements(warehouse, tmp_path, 40)
