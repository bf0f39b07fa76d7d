"""Experiments of runs and logged models of a batch whose state is not at hand, since all of it is in the tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from fleetlog_core.warehouse.port import Statement, Warehouse

from fleetlog_ingest.materializer.fold.decoding import Decoded
from fleetlog_ingest.materializer.fold.state import RunKey
from fleetlog_ingest.run_ids import AMONG_IDS, pieces

_TABLES = (("run_homes", "run_id"), ("logged_models", "model_id"))


def load_experiments(warehouse: Warehouse, records: Sequence[Decoded]) -> dict[RunKey, int]:
    """By run or model, as far as they are there; those of imports, which say it themselves, are left out."""
    wanted: defaultdict[str, dict[bytes, None]] = defaultdict(dict)
    for decoded in records:
        if decoded.frame is not None and not decoded.imports and not decoded.heard:
            wanted[decoded.namespace][decoded.frame.run_id] = None
            if decoded.rewound:
                wanted[decoded.namespace][decoded.rewound] = None
    found: dict[RunKey, int] = {}
    for namespace, run_ids in wanted.items():
        for ids in pieces(list(run_ids)):
            for table, column in _TABLES:
                sql = (
                    f"SELECT {column} AS subject, any(experiment) AS number FROM {table}"
                    f" WHERE namespace = {{namespace:String}} AND {column} {AMONG_IDS} GROUP BY subject"
                )
                answer = warehouse.select(Statement(sql, {"namespace": namespace, "ids": ids}))
                numbers = answer.array("number").tolist()
                for subject, number in zip(answer.array("subject"), numbers, strict=True):
                    found[(namespace, subject.tobytes())] = number
    return found
