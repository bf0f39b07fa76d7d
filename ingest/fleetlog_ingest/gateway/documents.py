"""DocumentService: texts of any kind that are kept, and changed by compare-and-set. The log decides each change."""

from __future__ import annotations

from concurrent.futures import Executor

from fleetlog_core import limits
from fleetlog_core.applied import AppliedWatch
from fleetlog_core.errors import ResourceExhausted
from fleetlog_core.log.port import EventLog
from fleetlog_core.position import to_proto
from fleetlog_core.rules.documents import check_documents
from fleetlog_core.rules.names import check_namespace, check_user
from fleetlog_core.serving.errors import Context
from fleetlog_core.serving.traces import ContextThreads
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import document_event_pb2, document_pb2, document_pb2_grpc, frame_pb2

from fleetlog_ingest.gateway.control import Control, Decided, check_request_id, timeout_seconds

THREADS = 4


class DocumentServicer(document_pb2_grpc.DocumentServiceServicer):
    """See protos/fleetlog/v1/document.proto."""

    def __init__(self, log: EventLog, warehouse: Warehouse, applied: AppliedWatch) -> None:
        self._executor: Executor = ContextThreads(THREADS, "documents")
        self._control = Control(log, warehouse, applied, self._executor)

    def close(self) -> None:
        """Let the threads go."""
        self._executor.shutdown()

    async def PutDocuments(  # noqa: N802
        self, request: document_pb2.PutDocumentsRequest, context: Context
    ) -> document_pb2.PutDocumentsResponse:
        """See the proto."""
        return await self._control.decide(_intent(request), timeout_seconds(context), _answer)


def _intent(request: document_pb2.PutDocumentsRequest) -> frame_pb2.ControlRecord:
    """The record of the intent. InvalidArgument, ResourceExhausted REQUEST_TOO_LARGE."""
    check_documents(request.documents)
    check_user(request.user, "user")
    record = frame_pb2.ControlRecord(
        namespace=check_namespace(request.namespace),
        request_id=check_request_id(request.request_id),
        user=request.user,
        documents_put=document_event_pb2.DocumentsPut(documents=request.documents),
    )
    if record.ByteSize() > limits.DOCUMENTS_BYTES:
        raise ResourceExhausted(
            "REQUEST_TOO_LARGE",
            f"documents: the request has {record.ByteSize():,} bytes, at most {limits.DOCUMENTS_BYTES:,}; put fewer at"
            " once, or keep what is large as artifacts",
        )
    return record


def _answer(decided: Decided) -> document_pb2.PutDocumentsResponse:
    revisions = map(int, decided.result.split("/"))
    return document_pb2.PutDocumentsResponse(revisions=revisions, position=to_proto(decided.position))
