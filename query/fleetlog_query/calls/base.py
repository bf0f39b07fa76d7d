"""What all calls share: services that read, threads to read in, and the waits for what was written before."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from fleetlog_core import limits
from fleetlog_core.applied import AppliedWatch
from fleetlog_core.errors import (
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
    check_count,
)
from fleetlog_core.log.port import CONTROL, EventLog
from fleetlog_core.objects.port import ObjectStore
from fleetlog_core.position import from_proto, merge, to_proto
from fleetlog_core.rates.limiter import paying
from fleetlog_core.serving.denials import Denials
from fleetlog_core.serving.errors import Context
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.serving.traces import ContextThreads
from fleetlog_core.warehouse.port import TimedOut, Warehouse
from fleetlog_proto.v1 import artifact_pb2, audit_pb2, metric_pb2, position_pb2, query_pb2, query_pb2_grpc, scope_pb2

from fleetlog_query.calls.answers import Answers
from fleetlog_query.changes.changed_runs import ChangedRuns
from fleetlog_query.changes.held import Held
from fleetlog_query.changes.moments import History
from fleetlog_query.changes.position import AppliedPositions
from fleetlog_query.column_cache.scope_columns import HeldColumns, ScopeColumns
from fleetlog_query.experiments import Experiments, chosen
from fleetlog_query.order.page_reader import PageReader
from fleetlog_query.runs.document_cache import DocumentCache
from fleetlog_query.runs.documents import Documents
from fleetlog_query.runs.read_mask import parse_read_mask
from fleetlog_query.search.documents import PageDocuments
from fleetlog_query.search.search import Searcher
from fleetlog_query.search.token import PageTokens
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.branches import BranchedNamespaces, Branches
from fleetlog_query.warehouse.cancellable import (
    COSTLY_STATEMENTS,
    DEFAULT_SECONDS,
    LEAST_SECONDS,
    CancellableWarehouse,
    Costly,
    Work,
)

THREADS = 8
CALLER_THREADS = 6
"""Threads that read for one caller at the most: what others ask for finds one."""
STREAM_THREADS = 2
"""Threads that read the next of streams of runs, which are patient: they leave the others to searches."""
COSTLY_CALLS = 16
"""Calls of one caller whose patterns cost much that run or wait for their turn; more are told to come again."""
COSTLY_AGAIN_SECONDS = 2.0
HELD_BYTES = 256 << 20
"""Bytes of columns and documents that are held between reads, unless a setting says how many."""
DOCUMENTS_SHARE = 4
"""A quarter of the held bytes is for documents."""
KEYS_SHARE = 16
"""A sixteenth is for counted keys; those of 1,000,000 runs of 45 keys take 0.5 MB."""
Result = TypeVar("Result")
AsOfRequest = (
    query_pb2.GetRunRequest
    | query_pb2.GetRunsRequest
    | query_pb2.GetExperimentRequest
    | query_pb2.ListExperimentsRequest
    | metric_pb2.ReadMetricRequest
    | audit_pb2.ListEventsRequest
    | artifact_pb2.ListArtifactsRequest
    | artifact_pb2.DownloadArtifactRequest
    | scope_pb2.RunScope
)
"""What says by itself as of when it is."""


class Services:
    """Made once, for the calls of all nouns."""

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
        cores: int | None = None,
    ) -> None:
        """`log`: the event log, opened when it is asked for; None = it is not known here. `cores`: cores on which
        statements run beside this process; None = they run on another machine."""
        self.log = log
        self._cores = cores
        self.threads = ContextThreads(THREADS, "query", CALLER_THREADS, cores or THREADS)
        self.stream_threads = ContextThreads(STREAM_THREADS, "streams", STREAM_THREADS, STREAM_THREADS)
        self.costly_threads = ContextThreads(COSTLY_STATEMENTS, "costly", COSTLY_STATEMENTS, COSTLY_STATEMENTS)
        self.denials = denials or Telemetry().denials
        self.answers = answers or Answers(Telemetry())
        self.objects = objects
        self.applied = applied
        self.warehouse = CancellableWarehouse(warehouse, self._threads_of_wide)
        self.tokens = PageTokens(token_keys)
        self.positions = AppliedPositions(self.warehouse)
        self.changed_runs = ChangedRuns(self.warehouse)
        documents_bytes = held_bytes // DOCUMENTS_SHARE
        cache = DocumentCache(self.positions, self.changed_runs, documents_bytes) if documents_bytes else None
        self.keys_bytes = held_bytes // KEYS_SHARE
        columns_bytes = held_bytes - documents_bytes - self.keys_bytes
        self.columns: HeldColumns = Held(ScopeColumns, self.positions, self.changed_runs, columns_bytes)
        self.branches: Branches = BranchedNamespaces(self.warehouse).tables
        self.documents = Documents(self.warehouse, self.branches, cache)
        reader = PageReader(self.warehouse, self.changed_runs, self.columns, self.documents)
        self.page_documents = PageDocuments(self.documents, self.changed_runs)
        self.searcher = Searcher(
            token_keys, self.positions, self.changed_runs, reader, self.page_documents, self.branches
        )
        self.experiments = Experiments(self.warehouse)
        self.history = History(self.warehouse)
        self.costly: dict[asyncio.Task[object], str] = {}
        """Work that runs or waits in the costly threads, and for whom."""
        self.draining = False

    def close(self) -> None:
        """Let the threads go."""
        self.threads.shutdown()
        self.stream_threads.shutdown()
        self.costly_threads.shutdown()
        self.warehouse.close()

    def _threads_of_wide(self) -> int:
        callers = self.threads.callers()
        return 0 if self._cores is None or callers < 2 else max(1, self._cores // callers)


class ReadCalls:
    """Calls over the services, of whatever gRPC service."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._applied = services.applied
        self._warehouse = services.warehouse
        self._documents = services.documents
        self._experiments = services.experiments
        self._tokens = services.tokens

    def drain(self) -> None:
        """End what would not end by itself soon. From the event loop."""
        self._services.draining = True
        for task in list(self._services.costly):
            task.cancel()

    def close(self) -> None:
        """Let the threads go."""
        self._services.close()

    def _experiment_ids(
        self, namespace: str, numbers: Iterable[int], names: Sequence[str] = (), as_of: AsOf | None = None
    ) -> tuple[int, ...]:
        """Experiments that are given, in order; without any all that are not deleted. EXPERIMENT_NOT_FOUND."""
        ids = set(numbers)
        if as_of is not None and as_of.control is not None:
            if names or not ids:
                ids.update(chosen(self._experiments.as_of(namespace, as_of.control), names))
        elif names:
            for name in dict.fromkeys(names):
                ids.add(self._experiments.by_name(namespace, name).experiment_id)
        elif not ids:
            ids.update(e.experiment_id for e in self._experiments.all(namespace) if not e.deleted)
        return tuple(sorted(ids))

    async def _check_run(
        self, namespace: str, run_id: bytes, context: Context, as_of: AsOf | None = None
    ) -> None:  # fmt: skip
        mask = parse_read_mask(["attributes"])
        if not await self._do(context, self._documents.read, namespace, [run_id], mask, False, as_of):
            raise run_not_found(run_id)

    async def _as_of(self, request: AsOfRequest, context: Context) -> AsOf | None:
        """The position that is asked for, once everything before it is there."""
        if not request.HasField("as_of"):
            return None
        await self._wait(position_pb2.Position(), context, request.as_of)
        return await self._do(context, self._services.history.as_of, request.as_of)

    async def _wait(
        self, position: position_pb2.Position, context: Context, as_of: scope_pb2.AsOf | None = None
    ) -> None:
        wanted = from_proto(position)
        if as_of is not None and as_of.HasField("position"):
            wanted = merge(wanted, from_proto(as_of.position, "as_of.position"))
        # Without a position it does not wait; the materializer hears that somebody reads.
        await self._applied.wait(wanted, remaining(context))

    def _before(self, as_of: scope_pb2.AsOf | None) -> int | None:
        """The next offset of the control partition that is asked for; None = now. POSITION_INVALID."""
        if as_of is None:
            return None
        control = self._services.history.as_of(as_of).control
        if control is None:
            raise InvalidArgument.of_field(
                "POSITION_INVALID",
                "as_of.position",
                f"it says nothing of the topic {CONTROL!r}, where models and documents are decided; give one that a"
                " read or a change of one, or a search as of a time, answered with",
            )
        return control

    async def _held(self, wanted: bool) -> position_pb2.Position | None:
        """A position that reads from now on hold, when it is wanted."""
        return to_proto(await self._applied.now()) if wanted else None

    async def _do(self, context: Context, function: Callable[..., Result], *arguments: object) -> Result:
        """Blocking work in a thread. It ends in the warehouse too when the caller cancels or its deadline passes.

        Work that turns out to cost much is begun again in one of the few threads for such, and is not waited for when
        the server stops. TOO_MANY_COSTLY_READS, SHUTTING_DOWN.
        """
        services, call, caller = self._services, functools.partial(function, *arguments), paying()
        try:
            return await self._run(services.threads, Work(remaining(context), costly=False), call)
        except Costly:
            if sum(other == caller for other in services.costly.values()) >= COSTLY_CALLS:
                what = (
                    f"{COSTLY_CALLS} reads of yours with patterns that cost as much run or wait; try again, or use"
                    " plainer ones"
                )
                raise ResourceExhausted(
                    "TOO_MANY_COSTLY_READS", what, retry_after_seconds=COSTLY_AGAIN_SECONDS
                ) from None
        task = asyncio.ensure_future(self._run(services.costly_threads, Work(remaining(context)), call))
        services.costly[task] = caller
        try:
            return await task
        except asyncio.CancelledError:
            if services.draining and not _is_cancelled():
                raise Unavailable("SHUTTING_DOWN", "the server is being stopped; try again") from None
            raise
        finally:
            del services.costly[task]

    async def _run(self, threads: ContextThreads, work: Work, call: Callable[[], Result]) -> Result:
        """The call, in one of the threads. Costly for work that is not to wait."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(threads, self._warehouse.run, work, call)
        except asyncio.CancelledError:
            self._warehouse.cancel(work)
            raise
        except TimedOut:
            raise DeadlineExceeded("READ_TIMED_OUT", "the read took longer than its deadline; ask for less") from None


class QueryCalls(ReadCalls, query_pb2_grpc.QueryServiceServicer):
    """Calls of QueryService. Each noun is a class below this one; its `__init__` takes the services alone."""


def _is_cancelled() -> bool:
    """True if it is the call itself that is ended, and not what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def next_of(items: Iterator[Result]) -> Result | None:
    """The next one; None at the end, since a StopIteration can't be raised into a future."""
    return next(items, None)


def remaining(context: Context) -> float:
    """Seconds that the caller waits on, or the default."""
    remaining = context.time_remaining()
    return DEFAULT_SECONDS if remaining is None else max(LEAST_SECONDS, remaining)


def check_experiments(path: str, request: query_pb2.SearchRunsRequest | scope_pb2.RunScope) -> None:
    """InvalidArgument for more experiments than a search may name; `path` is where they stand."""
    for field, count in (
        ("experiment_ids", len(request.experiment_ids)), ("experiment_names", len(request.experiment_names)),
    ):  # fmt: skip
        check_count(path + field, count, 0, limits.EXPERIMENTS_PER_SEARCH)


def run_not_found(run_id: bytes) -> NotFound:
    """NotFound RUN_NOT_FOUND, for a run of another namespace too."""
    return NotFound("RUN_NOT_FOUND", f"there is no run {run_id.hex()} in this namespace")
