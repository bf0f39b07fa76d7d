"""DocumentQueryService: reads of documents. They share with the reads of runs what all calls share."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from typing import Any

from fleetlog_core import limits
from fleetlog_core.applied import APPLIED, offsets_of
from fleetlog_core.documents.snapshot import DocumentKey, DocumentSnapshot, Wanted
from fleetlog_core.log.port import CONTROL, Partition
from fleetlog_core.rules.documents import check_document_id, check_document_kind, check_parent_id, check_unique_key
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import document_pb2, document_pb2_grpc

from fleetlog_query.calls.base import ReadCalls, check_count
from fleetlog_query.registry.pages import fitting
from fleetlog_query.search.token import check_page_size

DEFAULT_PAGE = 100


class DocumentCalls(ReadCalls, document_pb2_grpc.DocumentQueryServiceServicer):
    """See protos/fleetlog/v1/document.proto."""

    async def ListDocuments(  # noqa: N802
        self, request: document_pb2.ListDocumentsRequest, context: Context
    ) -> document_pb2.ListDocumentsResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        wanted = _wanted(request)
        size = check_page_size(request.page_size, DEFAULT_PAGE, limits.PAGE_SIZE)
        purpose = _purpose(request, namespace)
        token: list[Any] = self._tokens.read(purpose, request.page_token) if request.page_token else []
        after = (int(token[1]), str(token[2])) if token else None
        as_of = request.as_of if request.HasField("as_of") else None
        await self._wait(request.at_least, context, as_of)

        def read() -> document_pb2.ListDocumentsResponse:
            before = int(token[0]) if token else self._before(as_of)
            snapshot = DocumentSnapshot(self._warehouse.select, namespace, request.kind, before)
            keys = snapshot.search(wanted, after, size + 1)
            if before is None and _taken(keys, size) < len(keys):
                # All pages are as of the moment of the first.
                before = offsets_of(self._warehouse.select(APPLIED)).get(Partition(CONTROL, 0), 0)
                snapshot = DocumentSnapshot(self._warehouse.select, namespace, request.kind, before)
                keys = snapshot.search(wanted, after, size + 1)
            taken = keys[: _taken(keys, size)]
            more = len(taken) < len(keys)
            last = [before, taken[-1].made, taken[-1].document_id] if more else []
            return document_pb2.ListDocumentsResponse(
                documents=snapshot.read(taken), next_page_token=self._tokens.make(purpose, last) if more else ""
            )

        return await self._do(context, read)


def _taken(keys: Sequence[DocumentKey], size: int) -> int:
    return fitting([key.bytes for key in keys], size)


def _wanted(request: document_pb2.ListDocumentsRequest) -> Wanted:
    check_document_kind(request.kind)
    for name, values, check in (
        ("parent_ids", request.parent_ids, check_parent_id),
        ("document_ids", request.document_ids, check_document_id),
        ("unique_keys", request.unique_keys, check_unique_key),
    ):
        check_count(name, len(values), 0, limits.DOCUMENTS_PER_REQUEST)
        for place, value in enumerate(values):
            check(value, f"{name}[{place}]")
    return Wanted(request.parent_ids, request.document_ids, request.unique_keys)


def _purpose(request: document_pb2.ListDocumentsRequest, namespace: str) -> str:
    """What a token is for: everything that is asked but the page."""
    asked = copy.deepcopy(request)
    for name in ("page_size", "page_token", "at_least"):
        asked.ClearField(name)
    asked.namespace = namespace
    return f"ListDocuments:{hashlib.sha256(asked.SerializeToString(deterministic=True)).hexdigest()}"
