"""Experiments as the warehouse's rows tell them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from fleetlog_core.errors import NotFound
from fleetlog_core.warehouse.port import Answer, Read, Statement
from fleetlog_proto.v1 import experiment_pb2
from fleetlog_query.experiments import Experiments, chosen

from tests.warehouses import Untouched

SECONDS = 5.0
Row = tuple[int, str, bool]
"""Number, name, whether it is deleted."""


class Table(Untouched):
    """A warehouse of the one table, which counts how often it is read."""

    def __init__(self, rows: Sequence[Row], version: int | None = None) -> None:
        self.rows, self.reads, self.now = list(rows), 0, version

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        self.reads += 1
        assert statement.binds["namespace"] == "mine"
        numbers = np.array([number for number, _, _ in self.rows], np.uint32)
        names, deleted = [name for _, name, _ in self.rows], np.array([gone for _, _, gone in self.rows], np.uint8)
        times = np.full(len(self.rows), 1_000, np.int64)
        columns: dict[str, Read] = {
            "experiment": numbers, "name": names, "named": names, "tags": ['{"team": "a"}'] * len(names),
            "artifact_location": [""] * len(names),
            "created": times, "changed": times + 1, "deleted": deleted, "gone": deleted,
        }  # fmt: skip
        return Answer(columns, len(self.rows), len(self.rows), 0)

    def version(self, table: str) -> int | None:
        assert table == "experiments"
        return self.now


def experiment(number: int, name: str, deleted: bool = False) -> experiment_pb2.Experiment:
    return experiment_pb2.Experiment(experiment_id=number, name=name, deleted=deleted)


def test_the_default_one_is_there_though_nobody_wrote_it() -> None:
    for rows in ([], [(3, "mine", False)]):
        found = Experiments(Table(rows)).all("mine")
        assert (found[0].experiment_id, found[0].name) == (0, "Default")
        assert [one.experiment_id for one in found[1:]] == [number for number, _, _ in rows]


def test_a_row_becomes_a_message() -> None:
    found = Experiments(Table([(3, "mine", True)])).by_number("mine", 3)
    assert found == experiment_pb2.Experiment(
        experiment_id=3, name="mine", tags={"team": "a"}, create_time_millis=1_000, update_time_millis=1_001,
        deleted=True,
    )  # fmt: skip


def test_the_default_one_is_not_found_by_a_name_that_it_no_longer_has() -> None:
    experiments = Experiments(Table([(0, "renamed", False)]))
    assert experiments.by_name("mine", "renamed").experiment_id == 0
    with pytest.raises(NotFound) as caught:
        experiments.by_name("mine", "Default")
    assert caught.value.reason == "EXPERIMENT_NOT_FOUND"


def test_what_is_not_there_is_named_as_a_terminal_may_show_it() -> None:
    experiments = Experiments(Table([]))
    with pytest.raises(NotFound) as caught:
        experiments.by_name("mine", "\x1b[31mred")
    assert "\x1b" not in str(caught.value)
    with pytest.raises(NotFound, match="no experiment 7"):
        experiments.by_number("mine", 7)


def test_they_are_read_again_only_after_an_insert() -> None:
    table = Table([(3, "mine", False)], version=1)
    experiments = Experiments(table)
    for _ in range(3):
        experiments.all("mine")
    assert table.reads == 1
    table.now, table.rows = 2, [(3, "yours", False)]
    assert experiments.all("mine")[1].name == "yours"


def test_as_of_a_position_they_are_as_their_history_says() -> None:
    found = Experiments(Table([(0, "Default", False), (3, "then", True)])).as_of("mine", 9)
    assert [(one.experiment_id, one.name, one.deleted) for one in found] == [(0, "Default", False), (3, "then", True)]


def test_without_names_all_that_are_not_deleted_are_chosen() -> None:
    known = [experiment(0, "Default"), experiment(1, "a"), experiment(2, "b", deleted=True)]
    assert chosen(known, []) == [0, 1]
    assert chosen(known, ["b", "a"]) == [2, 1]
    with pytest.raises(NotFound):
        chosen(known, ["a", "c"])
