"""Intents on names: into the control partition, then wait for what the log's order made of them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.auth.identity import caller
from fleetlog_core.decisions import Decision
from fleetlog_core.errors import (
    AlreadyExists,
    FailedPrecondition,
    FleetlogError,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
)
from fleetlog_core.ids import ID_BYTES, new_random_id
from fleetlog_core.log.port import CONTROL, EventLog, Partition
from fleetlog_core.position import after
from fleetlog_core.registry.snapshot import DecidedStates
from fleetlog_core.registry.states import Kind
from fleetlog_core.serving.errors import Context
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_proto.v1 import experiment_pb2, frame_pb2

from fleetlog_ingest.request_digests import check_same_request, digest_of_intent

_OUTCOME = """
SELECT accepted, experiment, reason, message, request, result, off FROM outcomes FINAL
WHERE namespace = {namespace:String} AND request_id = unhex({request:String})
"""
_EXPERIMENT = """
SELECT name, tags, toUnixTimestamp64Milli(create_time) AS created, toUnixTimestamp64Milli(update_time) AS changed,
    deleted, artifact_location
FROM experiments FINAL WHERE namespace = {namespace:String} AND experiment = {experiment:UInt32}
"""
_KINDS: dict[str, type[FleetlogError]] = {
    "EXPERIMENT_EXISTS": AlreadyExists,
    "EXPERIMENT_NOT_FOUND": NotFound,
    "MODEL_EXISTS": AlreadyExists,
    "MODEL_NOT_FOUND": NotFound,
    "VERSION_NOT_FOUND": NotFound,
    "ALIAS_NOT_FOUND": NotFound,
    "APPROVAL_NOT_FOUND": NotFound,
    "WEBHOOK_NOT_FOUND": NotFound,
    "TOKEN_EXISTS": AlreadyExists,
    "TOKEN_NOT_FOUND": NotFound,
    "TOO_MANY_TOKENS": ResourceExhausted,
    "DOCUMENT_EXISTS": AlreadyExists,
    "DOCUMENT_NOT_FOUND": NotFound,
    "TOO_MANY_WEBHOOKS": ResourceExhausted,
    "MODEL_TOO_LARGE": ResourceExhausted,
    "TOO_MANY_ALIASES": ResourceExhausted,
}
"""By the reason of a refusal; others are FailedPrecondition."""


@dataclass(frozen=True, slots=True)
class Decided:
    """An accepted intent: its result as its fold told it, where it was decided, and what its caller has to see."""

    experiment: int
    result: str
    offset: int
    """Offset of the record that was decided: the first one of the request id."""
    position: Mapping[Partition, int]
    """Behind the caller's own record."""
    left: DecidedStates | None
    """States of a registered model that it left, where they were told; else `registry_history` has them."""


Answered = TypeVar("Answered")
DEFAULT_TIMEOUT_SECONDS = 30.0


def timeout_seconds(context: Context) -> float:
    """Seconds that a call may wait: what its caller waits, at most the default."""
    remaining = context.time_remaining()
    return DEFAULT_TIMEOUT_SECONDS if remaining is None else min(remaining, DEFAULT_TIMEOUT_SECONDS)


def check_request_id(request_id: bytes) -> bytes:
    """The caller's, or a new one when it gave none. INVALID_ID."""
    if not request_id:
        return new_random_id()
    if len(request_id) != ID_BYTES:
        raise InvalidArgument.of_field("INVALID_ID", "request_id", f"{len(request_id)} bytes; a request id has 16")
    return request_id


class Control:
    """Puts intents into the log and answers with their outcomes."""

    def __init__(self, log: EventLog, warehouse: Warehouse, applied: AppliedWatch, executor: Executor) -> None:
        self._log = log
        self._warehouse = warehouse
        self._applied = applied
        self._executor = executor

    async def decide(
        self, record: frame_pb2.ControlRecord, timeout_seconds: float, answer: Callable[[Decided], Answered]
    ) -> Answered:
        """What `answer` reads of the outcome, in a thread. The refusal is raised.

        FailedPrecondition REQUEST_ID_REUSED.
        """
        record.ingest_time_millis = time.time_ns() // 1_000_000
        # Where callers are known, it is they who ask, whatever they say.
        record.user = caller().principal or record.user
        key = record.namespace.encode()
        with self._applied.decisions.expect(record.namespace, record.request_id) as expected:
            logged = await asyncio.wrap_future(self._log.append(CONTROL, key, record.SerializeToString()))
            position = after(logged)
            await self._applied.wait(position, timeout_seconds)
        loop = asyncio.get_running_loop()
        told = expected.told
        return await loop.run_in_executor(self._executor, lambda: answer(self._outcome(record, position, told)))

    def _outcome(
        self, record: frame_pb2.ControlRecord, position: Mapping[Partition, int], told: Decision | None
    ) -> Decided:
        decision = told or self._read(record.namespace, record.request_id)
        check_same_request(decision.digest, digest_of_intent(record))
        if not decision.accepted:
            reason = decision.reason
            raise _KINDS.get(reason, FailedPrecondition)(reason, decision.message)
        left = _left(told) if told else None
        return Decided(decision.experiment, decision.result, decision.offset, position, left)

    def _read(self, namespace: str, request_id: bytes) -> Decision:
        """The decision as the warehouse has it, without what it left."""
        answer = self._warehouse.select(Statement(_OUTCOME, {"namespace": namespace, "request": request_id.hex()}))
        if answer.rows == 0:
            raise Unavailable("OUTCOME_UNKNOWN", "the request could not be applied; ask again with a new request_id")
        return Decision(
            namespace,
            request_id,
            int(answer.array("off")[0]),
            bool(answer.array("accepted")[0]),
            int(answer.array("experiment")[0]),
            answer.texts("reason")[0],
            answer.texts("message")[0],
            int(answer.array("request")[0]),
            answer.texts("result")[0],
        )

    def has_experiment(self, namespace: str, experiment_id: int) -> bool:
        """True if there is such an experiment by now; "Default" always is."""
        binds: dict[str, str | int] = {"namespace": namespace, "experiment": experiment_id}
        return experiment_id == 0 or self._warehouse.select(Statement(_EXPERIMENT, binds)).rows > 0

    def experiment(self, namespace: str, experiment_id: int) -> experiment_pb2.Experiment:
        """The experiment as it is now."""
        binds: dict[str, str | int] = {"namespace": namespace, "experiment": experiment_id}
        answer = self._warehouse.select(Statement(_EXPERIMENT, binds))
        if answer.rows == 0:
            return experiment_pb2.Experiment(experiment_id=experiment_id, name="Default")
        return experiment_pb2.Experiment(
            experiment_id=experiment_id,
            name=answer.texts("name")[0],
            tags=json.loads(answer.texts("tags")[0] or "{}"),
            create_time_millis=int(answer.array("created")[0]),
            update_time_millis=int(answer.array("changed")[0]),
            deleted=bool(answer.array("deleted")[0]),
            artifact_location=answer.texts("artifact_location")[0],
        )


def _left(told: Decision) -> DecidedStates:
    return DecidedStates(told.time_millis, {(Kind(kind), number): text for (kind, number), text in told.states.items()})
