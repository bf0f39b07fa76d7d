"""Rows of the search index (`attrs`, kind 3) that metrics have: the latest value of each. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.schema import KeyKind

from fleetlog_ingest.materializer.fold.tables import Columns


def metric_attrs(owners: Columns, latest: npt.NDArray[np.float64], ver: npt.NDArray[np.void]) -> Columns:
    """Rows of the series whose namespace, experiment, key and run `owners` has.

    `ver` packs (step, time, value) of the latest values: the highest one counts, whatever comes first.
    """
    count = len(latest)
    return {
        "namespace": owners["namespace"],
        "experiment": owners["experiment"],
        "kind": np.full(count, KeyKind.METRIC, dtype=np.uint8),
        "key": owners["key"],
        "run_id": owners["run_id"],
        # One NaN of many, whose bits would differ.
        "num": np.where(np.isnan(latest), np.nan, latest),
        "str": [""] * count,
        "type": np.zeros(count, dtype=np.uint8),
        "removed": np.zeros(count, dtype=np.uint8),
        "ver": ver,
    }
