"""What happened to a model: rows of the history, which are never changed."""

from __future__ import annotations

from fleetlog_core.log.port import CONTROL, Partition
from fleetlog_core.position import to_proto
from fleetlog_core.registry.snapshot import Select
from fleetlog_core.warehouse.port import Bind, Statement
from fleetlog_proto.v1 import model_history_pb2

from fleetlog_query.warehouse.rows import rows_of

Place = tuple[int, int]
"""Offset of the intent, and place among what it changed."""
_COLUMNS = (
    "ver, place, action, version, user, toUnixTimestamp64Milli(time) AS at, subject, old_value, new_value, comment,"
    " approval, request_id"
)


class ModelHistory:
    """Reads of one model's history, as far as `before` (a next offset of the control partition); None = all."""

    def __init__(self, select: Select, namespace: str, model_id: int, before: int | None) -> None:
        self._select = select
        self._binds: dict[str, Bind] = {"namespace": namespace, "model": model_id}
        self._where = "namespace = {namespace:String} AND model_id = {model:UInt64}"
        if before is not None:
            self._where += " AND ver < {before:UInt64}"
            self._binds["before"] = before

    def entries(
        self, version: int | None, after: Place | None, count: int
    ) -> list[tuple[Place, model_history_pb2.ModelHistoryEntry]]:
        """The latest first, behind `after`."""
        where, binds = self._narrowed("action != 0", version)
        if after is not None:
            where += " AND (ver, place) < ({ver:UInt64}, {place:UInt32})"
            binds |= {"ver": after[0], "place": after[1]}
        return self._read(f"{where} ORDER BY ver DESC, place DESC LIMIT {count}", binds)

    def comments(
        self, version: int | None, after: Place | None, count: int
    ) -> list[tuple[Place, model_history_pb2.ModelHistoryEntry]]:
        """Comments, the oldest first, behind `after`."""
        where, binds = self._narrowed(f"action = {model_history_pb2.MODEL_ACTION_COMMENTED}", version)
        if after is not None:
            where += " AND (ver, place) > ({ver:UInt64}, {place:UInt32})"
            binds |= {"ver": after[0], "place": after[1]}
        return self._read(f"{where} ORDER BY ver, place LIMIT {count}", binds)

    def _narrowed(self, condition: str, version: int | None) -> tuple[str, dict[str, Bind]]:
        where, binds = f"{self._where} AND {condition}", dict(self._binds)
        if version is not None:
            where += " AND version = {version:UInt64}"
            binds["version"] = version
        return where, binds

    def _read(self, where: str, binds: dict[str, Bind]) -> list[tuple[Place, model_history_pb2.ModelHistoryEntry]]:
        answer = self._select(Statement(f"SELECT {_COLUMNS} FROM registry_history FINAL WHERE {where}", binds))
        found: list[tuple[Place, model_history_pb2.ModelHistoryEntry]] = []
        for ver, place, action, version, at, approval, user, subject, old, new, comment, request in rows_of(
            answer, "ver", "place", "action", "version", "at", "approval", "user", "subject", "old_value", "new_value",
            "comment", "request_id",
        ):  # fmt: skip
            entry = model_history_pb2.ModelHistoryEntry(
                action=action, time_millis=at, user=user, version=version, subject=subject, old_value=old,
                new_value=new, comment=comment, approval=approval, request_id=request.hex(),
                position=to_proto({Partition(CONTROL, 0): ver + 1}),
            )  # fmt: skip
            found.append(((ver, place), entry))
        return found
