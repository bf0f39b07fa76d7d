"""What is held in memory finds and shows what statements do, while runs come, change and go."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from fleetlog_core.errors import InvalidArgument
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import query_pb2, scope_pb2
from fleetlog_query.column_cache import conditions, frame, ranking
from fleetlog_query.runs.documents import Documents
from fleetlog_query.runs.read_mask import parse_read_mask
from fleetlog_query.search.search import Search, Searcher
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.core.warehouse.engines import chdb, clickhouse
from tests.query.histories import Writing, history
from tests.query.random_filters import FILTER, ORDER
from tests.query.searching import searching
from tests.query.stepping import Interrupted

SECONDS = 60.0
EXPERIMENTS = (0, 1, 2)
ALL, ACTIVE, DELETED = scope_pb2.DELETED_VIEW_ALL, scope_pb2.DELETED_VIEW_ACTIVE, scope_pb2.DELETED_VIEW_DELETED
RUNS = [bytes([1, 139, place]) + random.Random(place).randbytes(13) for place in range(24)]
MASKS: tuple[list[str], ...] = ([], ["attributes"], ["metrics.x", "tags"], ["params", "datasets"])


def pages(searcher: Searcher, search: Search) -> tuple[list[str], int]:
    """The ids of all pages, in order, and how many runs are said to match."""
    found: list[str] = []
    total, token = 0, ""
    while not found or token:
        page = searcher.search(Search(**{**vars(search), "page_token": token}), SECONDS)
        total = total if page.total is None or token else page.total.count
        found += [run.run_id for run in page.runs]
        token = page.next_page_token
        if not page.runs:
            break
    return found, total


def compare_with_statements(warehouse: Warehouse, scratch: Path, examples: int) -> None:
    migrate(warehouse)
    writing = Writing(warehouse, scratch)
    counted = Interrupted(warehouse, lambda: None)
    held, kept = searching(counted, lambda: 1_700_000_000.0)
    plain, _ = searching(warehouse, lambda: 1_700_000_000.0, held_bytes=0)
    fresh = Documents(warehouse)

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        seed=st.integers(0, 1 << 30), cuts=st.integers(1, 4), size=st.integers(1, 9),
        asked=st.lists(st.tuples(st.just("") | FILTER, st.just([]) | ORDER), min_size=1, max_size=4),
        view=st.sampled_from([ALL, ACTIVE, DELETED]), mask=st.sampled_from(MASKS), summaries=st.booleans(),
    )  # fmt: skip
    def compare(
        seed: int, cuts: int, size: int, asked: list[tuple[str, list[str]]], view: scope_pb2.DeletedView.ValueType,
        mask: list[str], summaries: bool,
    ) -> None:  # fmt: skip
        chance, name = random.Random(seed), f"{seed}-{'-'.join(map(str, writing.next_offsets.values()))}"
        records = history(seed, 60, RUNS)
        for cut in range(cuts):
            writing.fold(records[cut * 60 // cuts : (cut + 1) * 60 // cuts], name, chance)
            for text, order in asked:
                note(f"{text} ORDER BY {order}")
                search = Search(
                    name, EXPERIMENTS, text, tuple(order), size, deleted_view=view,
                    total_count=query_pb2.TOTAL_COUNT_EXACT,
                )  # fmt: skip
                try:
                    expected = pages(plain, search)
                except InvalidArgument:
                    # Many look-ups; columns can do with them.
                    continue
                assert pages(held, search) == expected
            read_mask = parse_read_mask(mask)
            shown = fresh.read(name, RUNS, read_mask, summaries, SECONDS)
            for _ in range(2):
                assert kept.read(name, RUNS, read_mask, summaries, SECONDS) == shown
        counted.selects = 0
        kept.read(name, RUNS, parse_read_mask(mask), summaries, SECONDS)
        known = warehouse.version("runs") is not None
        assert counted.selects == 0 or not known or len(shown) < len(RUNS), "nothing changed"

    compare()


@pytest.mark.parametrize("small", [False, True], ids=["as they are", "small bounds"])
def test_columns_find_what_statements_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: bool) -> None:
    if small:
        monkeypatch.setattr(frame, "FEW", 1)
        monkeypatch.setattr(frame, "TEXT_BYTES", 20)
        monkeypatch.setattr(ranking, "_SORTED", 0)
        monkeypatch.setattr(conditions, "PATTERN_STEPS", 100)
    with chdb(tmp_path) as warehouse:
        compare_with_statements(warehouse, tmp_path, 60)


def test_a_server_answers_the_same(clickhouse_server: str, tmp_path: Path) -> None:
    with clickhouse(clickhouse_server) as warehouse:
        compare_with_statements(warehouse, tmp_path, 8)
