"""Documents of one kind as they were before an offset of the control partition, or as they are.

Every state has a row of its own, so who asks for what was before a batch that broke off does not see its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from fleetlog_proto.v1 import document_pb2

from fleetlog_core.warehouse.port import Answer, Bind, Statement

Select = Callable[[Statement], Answer]
"""Runs a statement, with the deadline of the read."""
_COLUMNS = "document_id, ver, revision, made, parent_id, unique_key, deleted, create_user"
_CREATED = "toUnixTimestamp64Milli(create_time) AS created"


@dataclass(frozen=True, slots=True)
class DocumentState:
    """A document without its body. `made` and `ver`: log offsets of its creation and its last change."""

    document_id: str
    revision: int
    made: int
    ver: int
    parent_id: str = ""
    unique_key: str = ""
    deleted: bool = False
    create_time_millis: int = 0
    create_user: str = ""


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """A document that a search found. `bytes`: length of its body."""

    document_id: str
    made: int
    ver: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a search narrows by; an empty one narrows by nothing."""

    parent_ids: Sequence[str] = ()
    document_ids: Sequence[str] = ()
    unique_keys: Sequence[str] = ()


class DocumentSnapshot:
    """Reads of one kind of a namespace. `before`: the control partition's next offset that it is as of; None = now."""

    def __init__(self, select: Select, namespace: str, kind: str, before: int | None = None) -> None:
        self._select = select
        self._where = "namespace = {namespace:String} AND kind = {kind:String}"
        self._binds: dict[str, Bind] = {"namespace": namespace, "kind": kind}
        if before is not None:
            self._where += " AND ver < {before:UInt64}"
            self._binds["before"] = before

    def states(self, document_ids: Collection[str], unique_keys: Collection[str] = ()) -> list[DocumentState]:
        """Documents of these ids, deleted ones too, and those that have one of these keys now."""
        if not document_ids and not unique_keys:
            return []
        binds = {"ids": sorted(document_ids), "keys": sorted(unique_keys)}
        # Any state may have had the key: the last one tells.
        ids = (
            f"SELECT document_id FROM documents WHERE {self._where} AND unique_key IN"
            " (SELECT arrayJoin({keys:Array(String)}))"
            if unique_keys
            else ""
        )
        among = "document_id IN (SELECT arrayJoin({ids:Array(String)})" + (f" UNION ALL {ids})" if ids else ")")
        answer = self._read(f"SELECT {_COLUMNS}, {_CREATED} FROM ({self._last(among)})", binds)
        texts = (answer.texts(name) for name in ("document_id", "parent_id", "unique_key", "create_user"))
        numbers = (answer.array(name).tolist() for name in ("revision", "made", "ver", "deleted", "created"))
        return [
            DocumentState(document_id, revision, made, ver, parent_id, unique_key, bool(deleted), created, create_user)
            for document_id, parent_id, unique_key, create_user, revision, made, ver, deleted, created in zip(
                *texts, *numbers, strict=True
            )
        ]

    def search(self, wanted: Wanted, after: tuple[int, str] | None, count: int) -> list[DocumentKey]:
        """Documents in the order of their creation, behind one that was made at an offset and has an id."""
        binds: dict[str, Bind] = {}
        parts, among = ["deleted = 0"], "1"
        if wanted.document_ids:
            among = "document_id IN (SELECT arrayJoin({ids:Array(String)}))"
            binds["ids"] = sorted(wanted.document_ids)
        for column, values in (("parent_id", wanted.parent_ids), ("unique_key", wanted.unique_keys)):
            if values:
                parts.append(f"{column} IN (SELECT arrayJoin({{{column}:Array(String)}}))")
                binds[column] = sorted(values)
        if after is not None:
            parts.append("(made, document_id) > ({made:UInt64}, {id:String})")
            binds |= {"made": after[0], "id": after[1]}
        answer = self._read(
            f"SELECT document_id, made, ver, body_bytes FROM ({self._last(among)}) WHERE {' AND '.join(parts)}"
            f" ORDER BY made, document_id LIMIT {count}",
            binds,
        )
        columns = (answer.array(name).tolist() for name in ("made", "ver", "body_bytes"))
        return [
            DocumentKey(document_id, made, ver, size)
            for document_id, made, ver, size in zip(answer.texts("document_id"), *columns, strict=True)
        ]

    def read(self, keys: Sequence[DocumentKey]) -> list[document_pb2.Document]:
        """Documents that a search found, in its order."""
        if not keys:
            return []
        answer = self._read(
            "SELECT kind, document_id, ver, revision, parent_id, unique_key, create_user, update_user, body,"
            f" {_CREATED}, toUnixTimestamp64Milli(update_time) AS updated FROM documents WHERE {self._where}"
            " AND (document_id, ver) IN (SELECT pair.1, pair.2 FROM"
            " (SELECT arrayJoin(arrayZip({ids:Array(String)}, {vers:Array(UInt64)})) AS pair))",
            {"ids": [key.document_id for key in keys], "vers": [key.ver for key in keys]},
        )
        names = ("kind", "document_id", "parent_id", "unique_key", "create_user", "update_user", "body")
        texts = zip(*map(answer.texts, names), strict=True)
        numbers = zip(*(answer.array(name).tolist() for name in ("revision", "created", "updated")), strict=True)
        found = {}
        for (kind, document_id, parent_id, unique_key, maker, changer, body), (revision, created, updated) in zip(
            texts, numbers, strict=True
        ):
            found[document_id] = document_pb2.Document(
                kind=kind, document_id=document_id, parent_id=parent_id, unique_key=unique_key, body=body,
                revision=revision, create_time_millis=created, update_time_millis=updated, create_user=maker,
                update_user=changer,
            )  # fmt: skip
        return [found[key.document_id] for key in keys if key.document_id in found]

    def _last(self, among: str) -> str:
        """A subselect of the last state of each document, without its body."""
        return (
            f"SELECT {_COLUMNS}, create_time, body_bytes FROM documents WHERE {self._where} AND {among}"
            " ORDER BY document_id, ver DESC LIMIT 1 BY document_id"
        )

    def _read(self, sql: str, binds: Mapping[str, Bind]) -> Answer:
        return self._select(Statement(sql, {**self._binds, **binds}))
