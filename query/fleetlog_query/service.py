"""QueryService over the ports. Its calls stand in fleetlog_query.calls, a file for each noun."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.log.port import EventLog
from fleetlog_core.objects.port import ObjectStore
from fleetlog_core.position import to_proto
from fleetlog_core.serving.denials import Denials
from fleetlog_core.serving.errors import Context
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import query_pb2

from fleetlog_query.calls.answers import Answers
from fleetlog_query.calls.artifacts import ArtifactCalls
from fleetlog_query.calls.audit import AuditCalls
from fleetlog_query.calls.base import HELD_BYTES, Services
from fleetlog_query.calls.datasets import DatasetCalls
from fleetlog_query.calls.documents import DocumentCalls
from fleetlog_query.calls.experiments import ExperimentCalls
from fleetlog_query.calls.logged_models import LoggedModelCalls
from fleetlog_query.calls.metrics import MetricCalls
from fleetlog_query.calls.registry import RegistryCalls
from fleetlog_query.calls.runs import RunCalls
from fleetlog_query.calls.scopes import ScopeCalls
from fleetlog_query.calls.searches import SearchCalls
from fleetlog_query.calls.watches import WatchCalls


class QueryServicer(
    RunCalls,
    SearchCalls,
    WatchCalls,
    ScopeCalls,
    DatasetCalls,
    ExperimentCalls,
    MetricCalls,
    ArtifactCalls,
    AuditCalls,
):
    """See protos/fleetlog/v1/query.proto."""

    def __init__(
        self,
        warehouse: Warehouse,
        objects: ObjectStore,
        applied: AppliedWatch,
        token_keys: Sequence[bytes],
        answers: Answers | None = None,
        held_bytes: int = HELD_BYTES,
        log: Callable[[], EventLog | None] = lambda: None,
        denials: Denials | None = None,
        web_url: Callable[[], str] = lambda: "",
        version: str = "",
        cores: int | None = None,
    ) -> None:
        """`web_url`: address of the web UI, once it is known; "" = there is none. `cores`: see Services."""
        self._web_url, self._version = web_url, version
        services = Services(warehouse, objects, applied, token_keys, answers, held_bytes, log, denials, cores)
        super().__init__(services)
        self.registry = RegistryCalls(services)
        """RegistryQueryService over the same services."""
        self.logged_models = LoggedModelCalls(services)
        """LoggedModelQueryService over the same services."""
        self.documents = DocumentCalls(services)
        """DocumentQueryService over the same services."""

    async def GetServerInfo(  # noqa: N802
        self, request: query_pb2.GetServerInfoRequest, context: Context
    ) -> query_pb2.GetServerInfoResponse:
        """See the proto."""
        applied = to_proto(await self._applied.now())
        return query_pb2.GetServerInfoResponse(version=self._version, web_url=self._web_url(), applied=applied)

    async def WaitForPosition(  # noqa: N802
        self, request: query_pb2.WaitForPositionRequest, context: Context
    ) -> query_pb2.WaitForPositionResponse:
        """See the proto."""
        await self._wait(request.position, context)
        return query_pb2.WaitForPositionResponse()
