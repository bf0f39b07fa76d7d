"""The data that runs read, by experiment, from the search index: its rows of one dataset stand together."""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog_core.datasets import SEPARATOR
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_core.warehouse.schema import KeyKind
from fleetlog_proto.v1 import dataset_pb2

from fleetlog_query.sql.binds import Binds

Place = tuple[int, str]
"""Experiment and key of a dataset."""


def list_datasets(
    warehouse: Warehouse,
    namespace: str,
    experiments: Sequence[int],
    after: Place | None,
    count: int,
) -> list[tuple[Place, dataset_pb2.ListedDataset]]:
    """At most so many datasets behind a place, in the order of their places."""
    if not experiments:
        return []
    binds = Binds()
    where = (
        f"namespace = {binds.text(namespace)} AND kind = {KeyKind.DATASET}"
        f" AND experiment IN {binds.numbers(experiments)}"
    )
    if after is not None:
        where += f" AND (experiment, key) > ({binds.whole(after[0])}, {binds.text(after[1])})"
    answer = warehouse.select(
        Statement(
            f"SELECT DISTINCT experiment, key FROM attrs WHERE {where} ORDER BY experiment, key LIMIT {count}",
            binds.values,
        ),
    )
    found: list[tuple[Place, dataset_pb2.ListedDataset]] = []
    for experiment, key in zip(answer.array("experiment").tolist(), answer.texts("key"), strict=True):
        name, digest, context = key.split(SEPARATOR)
        listed = dataset_pb2.ListedDataset(experiment_id=experiment, name=name, digest=digest, context=context)
        found.append(((experiment, key), listed))
    return found
