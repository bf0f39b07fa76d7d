"""Blocks of thousands of runs as columns, from a ClickHouse server; from chDB they are tried with streams."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from fleetlog_core.ids import new_run_id
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Coded, Column, Warehouse
from fleetlog_query.runs import run_columns
from fleetlog_query.runs.read_mask import parse_read_mask
from fleetlog_query.runs.run_columns import RunBlock, RunColumns
from fleetlog_query.sql.branches import BranchedNamespaces

from tests.core.warehouse.engines import clickhouse

RUNS = 20_000
rng = np.random.default_rng(1)
IDS = [new_run_id(1_700_000_000_000 + place, rng.bytes(10)) for place in range(RUNS)]


def codes(text: str, count: int = RUNS) -> Coded:
    return Coded(np.zeros(count, np.uint32), [text])


@pytest.fixture(scope="module")
def warehouse(clickhouse_server: str) -> Iterator[Warehouse]:
    """Run i has the metric x = i, and every third the tag team = "t<i mod 5>"."""
    with clickhouse(clickhouse_server) as warehouse:
        migrate(warehouse)
        raw = np.frombuffer(b"".join(IDS), "V16")
        zeros, start = np.zeros(RUNS, np.uint8), np.full(RUNS, 1_700_000_000_000)
        warehouse.insert(
            "runs",
            {
                "namespace": codes("n"), "experiment": np.ones(RUNS, np.uint32), "run_id": raw,
                "name": [f"run {place}" for place in range(RUNS)], "user": codes("ada"), "state": zeros + 1,
                "start_time": start, "end_time": start * 0, "parent_run_id": np.zeros(RUNS * 16, np.uint8).view("V16"),
                "deleted": zeros, "started": zeros + 1, "ver": np.arange(RUNS, dtype=np.uint64),
            },
            "runs",
        )  # fmt: skip
        for kind, key, places in ((3, "x", np.arange(RUNS)), (2, "team", np.arange(0, RUNS, 3))):
            count = len(places)
            numbers = places.astype(np.float64) if kind == 3 else np.full(count, np.nan)
            columns: dict[str, Column] = {
                "namespace": codes("n", count), "kind": np.full(count, kind, np.uint8), "key": codes(key, count),
                "run_id": raw[places], "num": numbers, "type": zeros[:count], "removed": zeros[:count],
                "str": ["" if kind == 3 else f"t{place % 5}" for place in places.tolist()],
                "ver": np.zeros(count * 32, np.uint8).view("V32"),
            }  # fmt: skip
            warehouse.insert("run_attrs", columns, f"run_attrs {key}")
            warehouse.insert("attrs", {**columns, "experiment": np.ones(count, np.uint32)}, f"attrs {key}")
        yield warehouse


def columns_of(warehouse: Warehouse) -> RunColumns:
    return RunColumns(warehouse, BranchedNamespaces(warehouse).tables)


def read(warehouse: Warehouse, places: list[int], *mask: str) -> list[RunBlock]:
    run_ids = b"".join(IDS[place] for place in places)
    return list(columns_of(warehouse).read("n", [1], run_ids, parse_read_mask(mask)))


@pytest.mark.parametrize("count", [1, 3, 1_000, RUNS])
def test_runs_come_in_the_order_of_their_ids_with_their_values(warehouse: Warehouse, count: int) -> None:
    places = rng.permutation(RUNS)[:count].tolist()
    (block,) = read(warehouse, places)
    assert list(block.attributes["name"]) == [f"run {place}" for place in places]
    assert block.places.tolist() == list(range(count))
    keys = {column.key: column for column in block.keys}
    x = keys["x"]
    assert dict(zip(x.places.tolist(), x.numbers.tolist(), strict=True)) == dict(enumerate(map(float, places)))
    if team := keys.get("team"):
        texts = [block.texts[code] for code in team.texts.tolist()]
        found = dict(zip(team.places.tolist(), texts, strict=True))
        assert found == {at: f"t{place % 5}" for at, place in enumerate(places) if place % 3 == 0}


def test_runs_that_are_not_there_are_left_out(warehouse: Warehouse) -> None:
    gone = new_run_id(1_700_000_000_000, b"\0" * 10)
    (block,) = columns_of(warehouse).read("n", [1], IDS[5] + gone + IDS[3], parse_read_mask([]))
    assert (block.attributes["name"], block.places.tolist()) == (["run 5", "run 3"], [0, 2])
    assert not list(columns_of(warehouse).read("n", [1], gone, parse_read_mask([])))
    assert not list(columns_of(warehouse).read("other", [1], IDS[5], parse_read_mask([])))


def test_a_mask_names_the_keys(warehouse: Warehouse) -> None:
    (block,) = read(warehouse, [0, 1, 2], "tags.team")
    assert [(column.kind, column.key) for column in block.keys] == [("tags", "team")]
    (block,) = read(warehouse, [0, 1, 2], "attributes")
    assert (block.size, block.keys) == (3, [])


def test_too_many_cells_are_several_blocks(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_columns, "MOST_CELLS", 1_000)
    places = rng.permutation(RUNS)[:3_000].tolist()
    blocks = read(warehouse, places)
    assert len(blocks) > 2
    assert all(block.size * len(block.keys) <= 1_000 for block in blocks)
    assert [name for block in blocks for name in block.attributes["name"]] == [f"run {place}" for place in places]
    values = []
    for block in blocks:
        (x,) = (column for column in block.keys if column.key == "x")
        values += sorted(zip(x.places.tolist(), x.numbers.tolist(), strict=True))
    assert [value for _, value in values] == list(map(float, places))
