"""Runs side by side."""

from __future__ import annotations

import math

import fleetlog
import pytest


@pytest.fixture(scope="module")
def ids(embedded_target: str) -> list[str]:
    found = []
    for place, loss in enumerate((3.0, 1.0, math.nan)):
        params: dict[str, object] = {"lr": 0.1, "seed": place, "whole": 1 if place else 1.0}
        run = fleetlog.start_run("comparing", f"run {place}", params=params, tags={"a": "x"}, target=embedded_target)
        for step in range(3):
            run.log({"loss": loss + step, "same": 2.0, "nan": math.nan}, step=step)
        if place == 2:
            run.log({"only": 7.0}, step=0)
            run.set_tags({"b": "y"})
        run.finish()
        found.append(run.id)
    fleetlog.flush(level="applied", target=embedded_target)
    return found


def test_what_differs_and_all_metrics(embedded_target: str, ids: list[str]) -> None:
    found = fleetlog.Client(embedded_target).compare(ids)
    assert [run.id for run in found.runs] == ids
    assert found.params == {"seed": [0, 1, 2], "whole": [1.0, 1, 1]}
    assert found.tags == {"b": [None, None, "y"]}
    assert list(found.metrics) == ["loss", "nan", "only", "same"]
    assert found.metrics["same"] == [2.0, 2.0, 2.0]
    assert found.metrics["loss"][:2] == [5.0, 3.0]
    assert list(found.differences) == ["params.seed", "params.whole", "tags.b", "metrics.loss", "metrics.only"]


def test_another_number_of_metrics(embedded_target: str, ids: list[str]) -> None:
    client = fleetlog.Client(embedded_target)
    assert client.compare(ids[:2], of="min").metrics["loss"] == [3.0, 1.0]
    assert client.compare(ids[:2], of="mean").metrics["loss"] == [4.0, 2.0]
    with pytest.raises(fleetlog.InvalidArgument, match="is none of last, min"):
        client.compare(ids, of="median")  # type: ignore[arg-type]


def test_the_best_of_them(embedded_target: str, ids: list[str]) -> None:
    found = fleetlog.Client(embedded_target).compare(ids)
    assert found.best("loss").id == ids[1]
    assert found.best("loss", maximize=True).id == ids[0]
    assert found.best("same").id == ids[0]
    with pytest.raises(ValueError, match="no run has a number of nan"):
        found.best("nan")


def test_a_table_of_them(embedded_target: str, ids: list[str]) -> None:
    table = fleetlog.Client(embedded_target).compare(ids).to_pandas()
    assert list(table.columns) == [
        "run_id", "name", "params.seed", "params.whole", "tags.b", "metrics.loss", "metrics.nan", "metrics.only",
        "metrics.same",
    ]  # fmt: skip
    assert table["params.seed"].tolist() == [0, 1, 2]


def test_a_run_that_is_not_there_is_named(embedded_target: str, ids: list[str]) -> None:
    with pytest.raises(fleetlog.NotFound, match="there is no run 00000000"):
        fleetlog.Client(embedded_target).compare([ids[0], "0" * 32])
    assert len(fleetlog.Client(embedded_target).compare([ids[0].upper(), ids[0]]).runs) == 2


def test_the_best_run_by_a_calculation(embedded_target: str, ids: list[str]) -> None:
    client = fleetlog.Client(embedded_target)
    best = client.best_run("comparing", maximize="min(metrics.loss) - metrics.same")
    assert best is not None
    assert best.id == ids[0]
    assert client.best_run("comparing", minimize="metrics.missing") is None
