"""Intents on documents for tests."""

from __future__ import annotations

from fleetlog_proto.v1 import document_event_pb2, frame_pb2

Put = document_event_pb2.DocumentPut


def one(
    document_id: str,
    *,
    kind: str = "entry",
    parent: str = "",
    key: str = "",
    body: str = "",
    expected: int | None = None,
    deleted: bool = False,
) -> Put:
    return Put(
        kind=kind, document_id=document_id, parent_id=parent, unique_key=key, body=body, deleted=deleted,
        expected_revision=expected,
    )  # fmt: skip


def put(*documents: Put) -> frame_pb2.ControlRecord:
    return frame_pb2.ControlRecord(documents_put=document_event_pb2.DocumentsPut(documents=documents))
