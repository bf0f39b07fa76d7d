"""Logged models as the warehouse has them.

A batch that broke off may have put rows of its own there. Then everything above `logged_models` in the order of the
inserts (tables.EVENT_TABLES) is in, its repeat is dropped by its token, and so is the one of `logged_models` itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog_core.warehouse.port import Statement, Warehouse

from fleetlog_ingest.materializer.fold.logged_models import Model
from fleetlog_ingest.materializer.fold.state import RunKey
from fleetlog_ingest.run_ids import AMONG_IDS

_MODELS = f"""
SELECT model_id, experiment, name, source_run_id, model_type, status, status_message,
    toUnixTimestamp64Milli(create_time) AS created, toUnixTimestamp64Milli(update_time) AS changed,
    deleted, purged, made, ver
FROM logged_models FINAL WHERE namespace = {{namespace:String}} AND model_id {AMONG_IDS}
"""


def load_models(warehouse: Warehouse, namespace: str, ids: Sequence[str]) -> dict[RunKey, Model]:
    """Returns the models that are there of some ids of 32 hexadecimal digits, in one piece."""
    rows = warehouse.select(Statement(_MODELS, {"namespace": namespace, "ids": list(ids)}))
    if rows.rows == 0:
        return {}
    numbers = {
        name: rows.array(name).tolist()
        for name in ("experiment", "status", "created", "changed", "deleted", "purged", "made", "ver")
    }
    names, kinds, messages = rows.texts("name"), rows.texts("model_type"), rows.texts("status_message")
    sources = [source.tobytes() for source in rows.array("source_run_id")]
    return {
        (namespace, model_id.tobytes()): Model(
            experiment=numbers["experiment"][place],
            name=names[place],
            source_run_id=sources[place],
            model_type=kinds[place],
            status=numbers["status"][place],
            status_message=messages[place],
            create_time=numbers["created"][place],
            update_time=numbers["changed"][place],
            deleted=bool(numbers["deleted"][place]),
            purged=bool(numbers["purged"][place]),
            made=bool(numbers["made"][place]),
            ver=numbers["ver"][place],
        )
        for place, model_id in enumerate(rows.array("model_id"))
    }
