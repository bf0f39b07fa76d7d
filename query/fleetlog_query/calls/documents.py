"""DocumentQueryService: reads of documents. They share with the reads of runs what all calls share."""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog_core import limits
from fleetlog_core.applied import APPLIED, offsets_of
from fleetlog_core.documents.snapshot import DocumentKey, DocumentSnapshot, Wanted
from fleetlog_core.errors import check_count
from fleetlog_core.log.port import CONTROL, Partition
from fleetlog_core.rules.documents import check_document_id, check_document_kind, check_parent_id, check_unique_key
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import document_pb2, document_pb2_grpc

from fleetlog_query.calls.base import ReadCalls
from fleetlog_query.registry.pages import fitting
from fleetlog_query.search.paging import Page


class DocumentCalls(ReadCalls, document_pb2_grpc.DocumentQueryServiceServicer):
    """See protos/fleetlog/v1/document.proto."""

    async def ListDocuments(  # noqa: N802
        self, request: document_pb2.ListDocumentsRequest, context: Context
    ) -> document_pb2.ListDocumentsResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        wanted = _wanted(request)
        page = Page.of(self._tokens, request, namespace)
        size = page.size
        after = (int(page.after[1]), str(page.after[2])) if page.after else None
        as_of = request.as_of if request.HasField("as_of") else None
        await self._wait(request.at_least, context, as_of)

        def read() -> document_pb2.ListDocumentsResponse:
            before = int(page.after[0]) if page.after else self._before(as_of)
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
                documents=snapshot.read(taken), next_page_token=page.token(last) if more else ""
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
