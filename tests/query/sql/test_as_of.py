"""Searches as of a position against the oracle: a namespace into which only the records before it were folded."""

from __future__ import annotations

import io
import random
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from fleetlog_core.errors import FailedPrecondition, InvalidArgument
from fleetlog_core.log.port import EVENTS, Partition
from fleetlog_core.position import to_proto
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_proto.v1 import facets_pb2, query_pb2, scope_pb2
from fleetlog_query.changes.changed_runs import ChangedRuns
from fleetlog_query.changes.held import Held
from fleetlog_query.changes.moments import HOUR_MILLIS, History
from fleetlog_query.changes.position import AppliedPositions
from fleetlog_query.column_cache.scope_columns import HeldColumns, ScopeColumns
from fleetlog_query.experiments import Experiments
from fleetlog_query.facets.answer import Facets
from fleetlog_query.facets.distribution import Distributions
from fleetlog_query.facets.keys import Keys
from fleetlog_query.facets.values import Values
from fleetlog_query.runs.read_mask import parse_read_mask
from fleetlog_query.search.search import Search
from fleetlog_query.search.token import PageTokens
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.branches import BranchedNamespaces
from fleetlog_query.sql.scope import Scope
from fleetlog_query.stream.run_stream import RunStream, RunStreams
from fleetlog_query.warehouse.cancellable import CancellableWarehouse
from fleetlog_query.warehouse.holding import Holding
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.core.warehouse.engines import chdb, clickhouse
from tests.ingest.materializer.builders import NOW
from tests.profiles import examples
from tests.query.histories import ALL, PARTITIONS, RUNS, TAGS, Writing, history
from tests.query.random_filters import FILTER, ORDER
from tests.query.random_runs import KEYS
from tests.query.searching import searching

SECONDS = 60.0


class Reading:
    """What a client sees of a namespace, as of a position or now."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._searching = searching(warehouse, lambda: 1_700_000_000.0)
        self._searcher, self._documents = self._searching.searcher, self._searching.documents
        reading = CancellableWarehouse(warehouse)
        self._streams = RunStreams(reading, self._searcher, self._documents, BranchedNamespaces(reading).tables)
        self._experiments = Experiments(warehouse)
        keys = Keys(reading, AppliedPositions(reading), ChangedRuns(reading), 1 << 20)
        held: HeldColumns = Held(ScopeColumns, AppliedPositions(reading), ChangedRuns(reading), 1 << 20)
        self._facets = Facets(
            PageTokens([b"k" * 32]), keys, Values(reading, held), Distributions(reading), lambda: 1_700_000_000.0
        )

    def experiments(self, namespace: str, as_of: AsOf | None) -> list[tuple[int, str, bool]]:
        if as_of is None or as_of.control is None:
            found = self._experiments.all(namespace)
        else:
            found = self._experiments.as_of(namespace, as_of.control)
        return [(one.experiment_id, one.name, one.deleted) for one in found]

    def search(self, search: Search) -> list[str]:
        """The documents in order, page by page, and how many there are."""
        mask, found = parse_read_mask([]), []
        while True:
            page = self._searcher.search(search)
            self._searching.page_documents.fill(page.query, page.as_of, page.runs, mask, True)
            found += [str(run) for run in page.runs]
            if not page.next_page_token:
                return [*found, str(page.total)]
            search = self._searcher.going_on(search, page.next_page_token)

    def arrow(self, search: Search) -> list[str]:
        mask, found = parse_read_mask([]), []
        for response in self._streams.responses(RunStream(search, mask, False, query_pb2.RUN_FORMAT_ARROW), Holding()):
            rows = pa.ipc.open_stream(io.BytesIO(response.arrow)).read_all().to_pylist()
            found += [str(sorted(row.items())) for row in rows]
        return found

    def documents(self, namespace: str, as_of: AsOf | None) -> list[str]:
        """By id, with summaries and problems."""
        runs = self._documents.read(namespace, RUNS, parse_read_mask([]), True, as_of)
        for run in runs:
            problems = self._documents.problems(namespace, bytes.fromhex(run.run_id), as_of)
            run.problems.extend(problems)
            # Told of as it is now alone.
            run.ClearField("delete_time_millis")
        return [str(run) for run in runs]

    def facets(self, scope: Scope, text: str, view: scope_pb2.DeletedView.ValueType) -> list[str]:
        """All keys, and the values of one of each kind, with counts."""
        asked = scope_pb2.RunScope(namespace=scope.namespace, filter=text, deleted_view=view)
        asked.experiment_ids.extend(scope.experiments)
        found = []
        for kind in (facets_pb2.KEY_KIND_UNSPECIFIED, facets_pb2.KEY_KIND_TAG, facets_pb2.KEY_KIND_ATTRIBUTE):
            request = facets_pb2.ListKeysRequest(scope=asked, kind=kind)
            found += [str(key) for key in self._facets.keys(request, scope, ()).keys]
        for kind, key in (
            (facets_pb2.KEY_KIND_PARAM, KEYS[0]), (facets_pb2.KEY_KIND_TAG, TAGS[0]),
            (facets_pb2.KEY_KIND_ATTRIBUTE, "name"),
        ):  # fmt: skip
            values = self._facets.values(facets_pb2.ListValuesRequest(scope=asked, kind=kind, key=key), scope).values
            found += [f"{key}: {value}" for value in values]
        return found


def as_of(position: Mapping[Partition, int]) -> AsOf:
    return AsOf(tuple(position[Partition(EVENTS, number)] for number in range(PARTITIONS)), position[ALL[0]])


def compare_with_the_oracle(warehouse: Warehouse, scratch: Path, tried: int) -> int:
    """How many runs were compared."""
    migrate(warehouse)
    writing, reading, compared = Writing(warehouse, scratch), Reading(warehouse), 0

    @settings(max_examples=examples(tried), database=None, suppress_health_check=list(HealthCheck))
    @given(
        seed=st.integers(0, 1 << 30), length=st.integers(1, 40), whole=st.booleans(),
        asked=st.lists(st.tuples(st.just("") | FILTER, ORDER), min_size=3, max_size=6), size=st.integers(1, 6),
        view=st.sampled_from([scope_pb2.DELETED_VIEW_ALL, scope_pb2.DELETED_VIEW_ACTIVE]),
    )  # fmt: skip
    def compare(
        seed: int, length: int, whole: bool, asked: list[tuple[str, list[str]]], size: int,
        view: scope_pb2.DeletedView.ValueType,
    ) -> None:  # fmt: skip
        nonlocal compared
        chance = random.Random(seed)
        records = history(seed, length)
        number = writing.next_offsets[Partition(EVENTS, 0)], writing.next_offsets[ALL[0]], seed
        name = "-".join(map(str, number))
        begin = writing.fold(records, name, chance)[0]
        # Any vector of offsets is a position, not only those that the log went through as a whole.
        counts = {partition: sum(one == partition for one, _ in records) for partition in ALL}
        upto = {partition: count if whole else chance.randrange(count + 1) for partition, count in counts.items()}
        position = as_of({partition: begin[partition] + upto[partition] for partition in ALL})
        left, before = dict(upto), []
        for partition, message in records:
            if left[partition]:
                left[partition] -= 1
                before.append((partition, message))
        oracle = f"{name}-oracle"
        writing.fold(before, oracle, None)
        then, now = reading.experiments(name, position), reading.experiments(oracle, None)
        assert then == now
        assert reading.documents(name, position) == reading.documents(oracle, None)
        numbers = tuple(number for number, _, _ in now)
        for text in {"", asked[0][0]}:
            note(f"facets of {text} as of {upto}")
            try:
                keys = reading.facets(Scope(oracle, numbers), text, view)
            except InvalidArgument:
                continue
            assert reading.facets(Scope(name, numbers, as_of=position), text, view) == keys
        for text, order in asked:
            note(f"{text} ORDER BY {order} as of {upto}")
            shown = {"filter": text, "order_by": tuple(order), "page_size": size, "deleted_view": view}
            shown |= {"total_count": query_pb2.TOTAL_COUNT_EXACT, "experiments": tuple(number for number, _, _ in now)}
            one = Search(namespace=name, as_of=position, asked_as_of=b"then", **shown)  # type: ignore[arg-type]
            other = Search(namespace=oracle, **shown)  # type: ignore[arg-type]
            try:
                expected = reading.search(other)
            except InvalidArgument:
                with pytest.raises(InvalidArgument):
                    reading.search(one)
                continue
            assert reading.search(one) == expected
            assert reading.arrow(one) == reading.arrow(other)
            compared += len(expected) - 1

    compare()
    return compared


@pytest.mark.timeout(900)
def test_as_of_a_position_is_what_its_records_alone_give(tmp_path: Path) -> None:
    with chdb(tmp_path) as warehouse:
        assert compare_with_the_oracle(warehouse, tmp_path, 15) > 3 * examples(15)


@pytest.mark.timeout(900)
def test_a_server_answers_the_same(clickhouse_server: str, tmp_path: Path) -> None:
    with clickhouse(clickhouse_server) as warehouse:
        assert compare_with_the_oracle(warehouse, tmp_path, 5) > 2 * examples(5)


def test_a_time_is_where_the_log_stood_and_what_is_not_known_is_refused(tmp_path: Path) -> None:
    with chdb(tmp_path) as warehouse:
        migrate(warehouse)
        writing, chance = Writing(warehouse, tmp_path), random.Random(1)
        past = History(warehouse, clock=lambda: NOW / 1000 + 1e6)
        # Over the end of an hour, a record each second.
        begin = (NOW // HOUR_MILLIS + 1) * HOUR_MILLIS - 20_000
        positions = writing.fold(history(1, 40), "times", chance, begin)
        for place, position in enumerate(positions):
            for millis in (begin + place * 1_000 - 1, begin + place * 1_000 - 999):
                assert past.as_of(scope_pb2.AsOf(time_millis=millis)) == as_of(position)
        # An older version left no times; then this one came.
        warehouse.execute(Statement("TRUNCATE TABLE log_times"))
        took_over = positions[-1]
        later = writing.fold(history(2, 40), "times", chance, begin + 100_000)
        known = [took_over, later[20], later[-1], dict.fromkeys(ALL, 0)]
        assert [past.as_of(at(position)) for position in known] == [as_of(one) for one in known]
        for asked in (at(positions[20]), scope_pb2.AsOf(time_millis=begin + 20_000)):
            with pytest.raises(FailedPrecondition) as caught:
                past.as_of(asked)
            assert caught.value.reason == "AS_OF_TOO_EARLY"


def at(position: Mapping[Partition, int]) -> scope_pb2.AsOf:
    return scope_pb2.AsOf(position=to_proto(position))
