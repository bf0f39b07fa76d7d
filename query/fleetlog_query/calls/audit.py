"""ListEvents and ListDenials: who did what, and who was kept from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fleetlog_core import limits
from fleetlog_core.auth.identity import ADMIN, caller
from fleetlog_core.auth.permissions import NOWHERE
from fleetlog_core.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, check_count, shown
from fleetlog_core.ids import parse_id
from fleetlog_core.log.partitions import partition_of
from fleetlog_core.log.port import CONTROL, EVENTS, EventLog, Partition
from fleetlog_core.rules.names import check_label, check_namespace
from fleetlog_core.rules.registry import check_model_name
from fleetlog_core.serving.denials import Denials
from fleetlog_core.serving.errors import Context
from fleetlog_core.warehouse.schema import EVERY_NAMESPACE, NO_EXPERIMENT
from fleetlog_proto.v1 import audit_pb2, event_pb2, frame_pb2

from fleetlog_query.audit.messages import messages_of
from fleetlog_query.audit.records import (
    Conditions,
    Place,
    RecordRow,
    has_records,
    offsets_of_experiment,
    offsets_of_models,
    read_records,
    refusals,
)
from fleetlog_query.audit.words import summary_of
from fleetlog_query.calls.base import QueryCalls, run_not_found
from fleetlog_query.logged_models import LoggedModels
from fleetlog_query.registry.pages import fitting
from fleetlog_query.runs.read_mask import parse_read_mask
from fleetlog_query.search.paging import DEFAULT_SIZE, Page
from fleetlog_query.sql.as_of import AsOf

KINDS = frozenset(
    field.name
    for message, oneof in ((event_pb2.Event, "payload"), (frame_pb2.ControlRecord, "intent"))
    for field in message.DESCRIPTOR.oneofs_by_name[oneof].fields
)
"""Payloads and intents, by their names in the contract."""
KINDS_PER_REQUEST = 50
JSON_PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request asks for, checked."""

    conditions: Conditions
    run_id: bytes
    model: str
    logged_model_id: bytes
    experiment: int | None

    @classmethod
    def of(cls, request: audit_pb2.ListEventsRequest) -> _Asked:
        """InvalidArgument, PermissionDenied."""
        subject, is_every = request.WhichOneof("subject"), request.namespace == EVERY_NAMESPACE
        if is_every:
            caller().check(ADMIN, EVERY_NAMESPACE)
            if subject is not None:
                raise InvalidArgument.of_field(
                    "SUBJECT_OF_NO_NAMESPACE", subject, 'it is of one namespace; name that instead of "*"'
                )
        elif request.namespace == NOWHERE and subject is None:
            # Whoever lists a namespace is told that it is not theirs, whether anything is in it or not.
            raise PermissionDenied(
                "ROLE_MISSING",
                "this takes the role reader in that namespace, which the token that was given does not have; ask an"
                " admin of the namespace for one that has",
            )
        namespace = EVERY_NAMESPACE if is_every else check_namespace(request.namespace)
        run_id = parse_id(request.run_id) if subject == "run_id" else b""
        logged_model_id = parse_id(request.logged_model_id, "logged_model_id") if subject == "logged_model_id" else b""
        if subject == "model":
            check_model_name(request.model, written=False)
        check_label(request.principal, "principal", limits.USER_CHARACTERS)
        check_label(request.token_name, "token_name", limits.USER_CHARACTERS)
        check_count("kinds", len(request.kinds), 0, KINDS_PER_REQUEST)
        for place, kind in enumerate(request.kinds):
            if kind not in KINDS:
                raise InvalidArgument.of_field(
                    "KIND_UNKNOWN", f"kinds[{place}]", f"{shown(kind)} is none; give some of {', '.join(sorted(KINDS))}"
                )
        for name in ("since_millis", "until_millis"):
            if getattr(request, name) < 0:
                raise InvalidArgument.of_field("TIME_INVALID", name, "it is below 0; leave it 0 for no limit")
        return cls(
            Conditions(
                namespace, run_id or logged_model_id, None, None, request.principal, request.token_name,
                sorted(set(request.kinds)),
            ),
            run_id,
            request.model if subject == "model" else "",
            logged_model_id,
            request.experiment_id if subject == "experiment_id" else None,
        )  # fmt: skip


class AuditCalls(QueryCalls):
    """Who did what."""

    async def ListEvents(  # noqa: N802
        self, request: audit_pb2.ListEventsRequest, context: Context
    ) -> audit_pb2.ListEventsResponse:
        """See the proto."""
        asked = _Asked.of(request)
        most = JSON_PAGE_SIZE if request.with_json else limits.PAGE_SIZE
        # A token is of its namespace by the request's digest; "*" has a name of its own there.
        named = "" if asked.conditions.namespace == EVERY_NAMESPACE else asked.conditions.namespace
        page = Page.of(self._tokens, request, named, min(DEFAULT_SIZE, most), most)
        as_of = await self._as_of(request, context)
        if as_of is None:
            await self._wait(request.at_least, context)

        def read() -> audit_pb2.ListEventsResponse:
            # Opened in this thread, which may wait for it.
            log = self._known_log() if request.with_json else None
            within = self._within(request, asked, as_of)
            conditions = self._found(asked)
            after = {Partition(topic, part): (begin, place) for topic, part, begin, place in page.after}
            rows = read_records(
                self._warehouse.select, conditions, within, after, page.size + 1, latest_first=request.latest_first
            )
            if not rows and not page.after:
                self._check_subject(asked, list(within))
            refused = refusals(self._warehouse.select, rows[: page.size])
            events = [_event(row, refused.get(row, "")) for row in rows[: page.size]]
            if log is not None:
                places = [(row.partition, row.offset) for row in rows[: page.size]]
                for event, text in zip(events, messages_of(log, places), strict=True):
                    event.json = text
            taken = fitting([event.ByteSize() for event in events], page.size)
            token = page.token(_places(after, rows[:taken])) if taken < len(rows) else ""
            return audit_pb2.ListEventsResponse(events=events[:taken], next_page_token=token)

        return await self._do(context, read)

    async def ListDenials(  # noqa: N802
        self, request: audit_pb2.ListDenialsRequest, context: Context
    ) -> audit_pb2.ListDenialsResponse:
        """See the proto."""
        return self._denials.answer(caller())

    @property
    def _denials(self) -> Denials:
        return self._services.denials

    def _known_log(self) -> EventLog:
        log = self._services.log()
        if log is None:
            raise FailedPrecondition(
                "LOG_UNSET",
                "with_json: this query service does not know the log; set log.url (FLEETLOG_LOG_URL) there as for a"
                " gateway, or ask without",
            )
        return log

    def _within(
        self, request: audit_pb2.ListEventsRequest, asked: _Asked, as_of: AsOf | None
    ) -> dict[Partition, tuple[int, int]]:
        """Offsets of each partition that the request may read."""
        now = self._services.positions.now()
        position = now if as_of is None else as_of
        until = {Partition(EVENTS, number): offset for number, offset in enumerate(position.events)}
        until[Partition(CONTROL, 0)] = (now.control if position.control is None else position.control) or 0
        subject = asked.conditions.subject
        if subject:
            until = {one: until[one] for one in (Partition(EVENTS, partition_of(subject, len(position.events))),)}
        elif asked.model:
            until = {Partition(CONTROL, 0): until[Partition(CONTROL, 0)]}
        history = self._services.history
        since = history.offsets_at(request.since_millis - 1) if request.since_millis else {}
        if request.until_millis:
            before = history.offsets_at(request.until_millis - 1)
            until = {one: min(offset, before.get(one, 0)) for one, offset in until.items()}
        return {one: (since.get(one, 0), offset) for one, offset in until.items()}

    def _found(self, asked: _Asked) -> Conditions:
        """Conditions with the offsets of what was decided of a model or an experiment. NotFound."""
        conditions, select = asked.conditions, self._warehouse.select
        if asked.model:
            offsets = offsets_of_models(select, conditions.namespace, asked.model)
            if offsets is None:
                raise NotFound("MODEL_NOT_FOUND", f"model: there is no model {shown(asked.model)} in this namespace")
            return replace(conditions, control_offsets=offsets)
        if asked.experiment is not None:
            offsets = offsets_of_experiment(select, conditions.namespace, asked.experiment)
            return replace(conditions, experiment=asked.experiment, control_offsets=offsets)
        return conditions

    def _check_subject(self, asked: _Asked, partitions: list[Partition]) -> None:
        """NotFound when what a request without an answer is about is not there, and never was."""
        conditions, select = asked.conditions, self._warehouse.select
        if asked.experiment is not None:
            self._experiments.by_number(conditions.namespace, asked.experiment)
        if not conditions.subject:
            return
        if has_records(select, Conditions(conditions.namespace, conditions.subject), partitions):
            return
        if asked.logged_model_id:
            if not LoggedModels(self._warehouse).exists(conditions.namespace, asked.logged_model_id):
                raise NotFound(
                    "MODEL_NOT_FOUND", f"there is no logged model {asked.logged_model_id.hex()} in this namespace"
                )
            return
        mask = parse_read_mask(["attributes"])
        if not self._documents.read(conditions.namespace, [asked.run_id], mask, False):
            raise run_not_found(asked.run_id)


def _places(before: Mapping[Partition, Place], rows: list[RecordRow]) -> list[Any]:
    """Behind what the page after these rows begins, by partition."""
    places = dict(before) | {row.partition: (row.offset, row.place) for row in rows}
    return [[one.topic, one.number, *place] for one, place in sorted(places.items())]


def _event(row: RecordRow, refused: str) -> audit_pb2.RecordedEvent:
    kinds = row.kinds.split(",") if row.kinds else []
    subject = row.subject.hex() if any(row.subject) else ""
    return audit_pb2.RecordedEvent(
        topic=row.partition.topic,
        partition=row.partition.number,
        offset=row.offset,
        time_millis=row.time_millis,
        principal=row.principal,
        token_name=row.token_name,
        gateway=row.gateway,
        kinds=kinds,
        summary=summary_of(row.detail),
        namespace=row.namespace,
        run_id="" if row.of_model else subject,
        logged_model_id=subject if row.of_model else "",
        experiment_id=None if row.experiment == NO_EXPERIMENT else row.experiment,
        refused_reason=refused,
    )
