"""The data that runs read, by experiment, from the search index: its rows of one dataset stand together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fleetlog_core.datasets import SEPARATOR
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_core.warehouse.schema import KeyKind
from fleetlog_proto.v1 import dataset_pb2

from fleetlog_query.sql.binds import Binds
from fleetlog_query.warehouse.rows import rows_of


def place_of(listed: dataset_pb2.ListedDataset) -> list[int | str]:
    """Place of a dataset in the list: its experiment and its key there."""
    return [listed.experiment_id, SEPARATOR.join((listed.name, listed.digest, listed.context))]


def list_datasets(
    warehouse: Warehouse, namespace: str, experiments: Sequence[int], after: Sequence[Any], count: int
) -> list[dataset_pb2.ListedDataset]:
    """Datasets behind a place, [] = from the beginning, in the order of their places: `count` of them at most."""
    if not experiments:
        return []
    binds = Binds()
    where = (
        f"namespace = {binds.text(namespace)} AND kind = {KeyKind.DATASET}"
        f" AND experiment IN {binds.numbers(experiments)}"
    )
    if after:
        where += f" AND (experiment, key) > ({binds.whole(after[0])}, {binds.text(after[1])})"
    sql = f"SELECT DISTINCT experiment, key FROM attrs WHERE {where} ORDER BY experiment, key LIMIT {count}"
    listed = []
    for experiment, key in rows_of(warehouse.select(binds.statement(sql)), "experiment", "key"):
        name, digest, context = key.split(SEPARATOR)
        listed.append(dataset_pb2.ListedDataset(experiment_id=experiment, name=name, digest=digest, context=context))
    return listed
