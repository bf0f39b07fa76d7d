"""Logged models, as the warehouse knows them. One that is purged is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fleetlog_core.limits import MODEL_METRICS
from fleetlog_core.warehouse.port import Answer, Statement, Warehouse
from fleetlog_core.warehouse.schema import KeyKind
from fleetlog_proto.v1 import logged_model_event_pb2, logged_model_pb2, scope_pb2

from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.deleted_view import DeletedView
from fleetlog_query.warehouse.rows import rows_of

_COLUMNS = (
    "model_id, experiment, name, source_run_id, model_type, status, status_message,"
    " toUnixTimestamp64Milli(create_time) AS created, toUnixTimestamp64Milli(update_time) AS changed, deleted"
)


@dataclass(frozen=True)
class Search:
    """Search of models: those of some experiments."""

    namespace: str
    experiments: Sequence[int]
    source_run_id: str = ""
    """32 hexadecimal digits; "" = of any run."""
    view: scope_pb2.DeletedView.ValueType = scope_pb2.DELETED_VIEW_ACTIVE


class LoggedModels:
    """Reads the tables of logged models."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def read(self, namespace: str, model_id: bytes) -> logged_model_pb2.LoggedModel | None:
        """The model of an id, deleted or not; None when it is not there."""
        binds = Binds()
        where = f"namespace = {binds.text(namespace)} AND model_id = {binds.run_id(model_id)} AND purged = 0"
        found = self._models(where, binds)
        self._fill(namespace, found)
        return found[0] if found else None

    def exists(self, namespace: str, model_id: bytes) -> bool:
        """True if the model is there, deleted or not."""
        binds = Binds()
        where = f"namespace = {binds.text(namespace)} AND model_id = {binds.run_id(model_id)} AND purged = 0"
        return bool(self._models(where, binds))

    def page(self, search: Search, after: Sequence[Any], count: int) -> list[logged_model_pb2.LoggedModel]:
        """Models, the one that was made last first, `count` at most, behind one of a time and an id; [] = none."""
        if not search.experiments:
            return []
        binds = Binds()
        where = (
            f"namespace = {binds.text(search.namespace)} AND experiment IN {binds.numbers(search.experiments)}"
            f" AND purged = 0{DeletedView.of(search.view).sql}"
        )
        if search.source_run_id:
            where += f" AND source_run_id = {binds.run_id(bytes.fromhex(search.source_run_id))}"
        if after:
            time, model_id = after
            where += f" AND (created, model_id) < ({binds.whole(time)}, {binds.run_id(bytes.fromhex(model_id))})"
        order = f"ORDER BY created DESC, model_id DESC LIMIT {count}"
        found = self._models(f"{where} {order}", binds)
        self._fill(search.namespace, found)
        return found

    def _models(self, where: str, binds: Binds) -> list[logged_model_pb2.LoggedModel]:
        answer = self._select(f"SELECT {_COLUMNS} FROM logged_models FINAL WHERE {where}", binds)
        rows = rows_of(
            answer, "model_id", "source_run_id", "experiment", "status", "created", "changed", "deleted", "name",
            "model_type", "status_message",
        )  # fmt: skip
        return [
            logged_model_pb2.LoggedModel(
                model_id=model_id.hex(),
                experiment_id=experiment,
                name=name,
                source_run_id=source.hex() if any(source) else "",
                model_type=kind,
                status=logged_model_event_pb2.LoggedModelStatus.ValueType(status),
                status_message=message,
                create_time_millis=created,
                update_time_millis=changed,
                deleted=bool(deleted),
            )
            for model_id, source, experiment, status, created, changed, deleted, name, kind, message in rows
        ]

    def _fill(self, namespace: str, models: Sequence[logged_model_pb2.LoggedModel]) -> None:
        """Put params, tags and metrics into models."""
        if not models:
            return
        by_id = {bytes.fromhex(model.model_id): model for model in models}
        binds = Binds()
        where = f"namespace = {binds.text(namespace)} AND model_id IN {binds.run_ids(list(by_id))}"
        answer = self._select(
            f"SELECT model_id, kind, key, str FROM model_attrs FINAL WHERE {where} AND removed = 0",
            binds,
        )
        for model_id, kind, key, text in rows_of(answer, "model_id", "kind", "key", "str"):
            model = by_id[model_id]
            (model.params if kind == KeyKind.PARAM else model.tags)[key] = text
        answer = self._select(
            "SELECT model_id, key, run_id, toUnixTimestamp64Milli(ts) AS at, step, dataset_name, dataset_digest, value"
            f" FROM model_metrics FINAL WHERE {where}"
            f" ORDER BY ts DESC, step DESC, ver DESC LIMIT {MODEL_METRICS} BY model_id",
            binds,
        )
        columns = ("model_id", "key", "run_id", "at", "step", "dataset_name", "dataset_digest", "value")
        for model_id, key, run_id, at, step, name, digest, value in rows_of(answer, *columns):
            by_id[model_id].metrics.add(
                key=key, value=value, step=step, time_millis=at, run_id=run_id.hex(), dataset_name=name,
                dataset_digest=digest,
            )  # fmt: skip
        for model in models:
            model.metrics.sort(key=lambda metric: (metric.key, metric.time_millis, metric.step))

    def _select(self, sql: str, binds: Binds) -> Answer:
        return self._warehouse.select(Statement(sql, binds.values))
