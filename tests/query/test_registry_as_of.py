"""The registry as of an offset against the oracle: the fold of the records before it alone, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import CONTROL, Partition, Record
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.registry.snapshot import Snapshot
from fleetlog_core.registry.states import Kind
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_ingest import replay
from fleetlog_ingest.materializer.control.control import ControlState, fold_control
from fleetlog_ingest.materializer.fold.decoding import decode
from fleetlog_ingest.materializer.fold.tables import Columns
from fleetlog_query.registry import pages
from fleetlog_query.registry.history import ModelHistory

from tests.core.warehouse.engines import chdb, clickhouse
from tests.ingest.materializer.registry_intents import numbers, texts
from tests.ingest.materializer.test_registry_exactly_once import write

COUNT = 90
ALL = pages.Found("1", {})


def of_namespace(columns: Columns | None, column: str = "state") -> list[str]:
    if columns is None:
        return []
    return sorted(
        text for namespace, text in zip(texts(columns["namespace"]), texts(columns[column]), strict=True)
        if namespace == "one" and text
    )  # fmt: skip


def compare_with_the_oracle(warehouse: Warehouse, path: Path) -> None:
    log = MemoryLog()
    write(log, 7, COUNT)
    replay.rebuild(log, warehouse, FolderStore(path / "objects"))
    records = log.read(Partition(CONTROL, 0), 0, max_bytes=1 << 30)
    compared = 0
    for before in (*range(1, COUNT, 11), COUNT, None):
        folded = fold_control([decode(one) for one in records[:before]], ControlState()).tables
        snapshot = Snapshot(warehouse.select, "one", before)
        for kind, table in ((1, "registered_models"), (2, "model_versions"), (3, "model_approvals")):
            found = snapshot.select(Kind(kind), "1", {})
            assert sorted(found.texts("state")) == of_namespace(folded.get(table))
            compared += found.rows
        _compare_searches(snapshot, folded)
        _compare_histories(warehouse, snapshot, records, before, folded)
    assert compared > 50


def _compare_searches(snapshot: Snapshot, folded: dict[str, Columns]) -> None:
    """Active models by name, and their versions, page by page."""
    names: list[str] = []
    while True:
        keys = pages.models_by_name(snapshot, ALL, names[-1] if names else "", 2)
        if not keys:
            break
        names += [key.name for key in keys]
        models = pages.read_models(snapshot, [key.model_id for key in keys])
        assert [one.name for one in models] == [key.name for key in keys]
        for model in models:
            found = pages.versions_by_change(snapshot, ALL, (), 100, model.model_id)
            versions = pages.read_versions(snapshot, found)
            assert [one.version for one in versions] == [key.number for key in found]
            assert [key.ver for key in found] == sorted((key.ver for key in found), reverse=True)
            assert {one.name for one in versions} <= {model.name}
            named = {alias: one.version for one in versions for alias in one.aliases}
            assert named == dict(model.aliases)
            highest = {one.stage: one.version for one in sorted(versions, key=lambda one: one.version)}
            assert {one.stage: one.version for one in model.latest_versions} == highest
    columns = folded.get("registered_models")
    active = [] if columns is None else [
        name for namespace, name, deleted in zip(
            texts(columns["namespace"]), texts(columns["name"]), numbers(columns["deleted"]), strict=True
        ) if namespace == "one" and not deleted
    ]  # fmt: skip
    assert names == sorted(active)
    found, place = list[pages.Key](), list[int]()
    while page := pages.versions_by_change(snapshot, ALL, place, 3):
        found += page
        place = [page[-1].ver, page[-1].model_id, page[-1].number]
    assert len({(key.model_id, key.number) for key in found}) == len(found)
    assert len(found) == len(pages.versions_by_change(snapshot, ALL, (), 1_000))


def _compare_histories(
    warehouse: Warehouse, snapshot: Snapshot, records: Sequence[Record], before: int | None, folded: dict[str, Columns]
) -> None:
    """All lines of all models, whichever way they are paged."""
    columns = folded.get("registry_history")
    if columns is None:
        return
    ids = {
        model for namespace, model in zip(texts(columns["namespace"]), numbers(columns["model_id"]), strict=True)
        if namespace == "one"
    }  # fmt: skip
    lines = 0
    for model_id in ids:
        history = ModelHistory(warehouse.select, "one", model_id, before)
        found = history.entries(None, None, 1_000)
        paged, after = [], None
        while page := history.entries(None, after, 2):
            paged += page
            after = page[-1][0]
        assert paged == found
        comments = history.comments(None, None, 1_000)
        assert [place for place, _ in comments] == sorted(place for place, one in found if one.comment == "a comment")
        lines += len(found)
    told = [
        action for namespace, action in zip(texts(columns["namespace"]), numbers(columns["action"]), strict=True)
        if namespace == "one" and action
    ]  # fmt: skip
    assert lines == len(told)


def test_the_registry_as_of_an_offset_is_what_the_records_before_it_give(tmp_path: Path) -> None:
    with chdb(tmp_path) as warehouse:
        compare_with_the_oracle(warehouse, tmp_path)


def test_a_server_tells_the_same_registry(clickhouse_server: str, tmp_path: Path) -> None:
    with clickhouse(clickhouse_server) as warehouse:
        compare_with_the_oracle(warehouse, tmp_path)
