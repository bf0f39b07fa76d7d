"""The fold of frames into rows. Pure: the same records on the same state give the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleetlog_core.ids import ID_BYTES
from fleetlog_core.limits import RunLimits
from fleetlog_core.objects.port import ObjectName
from fleetlog_core.rules.logged_models import belongs
from fleetlog_core.rules.losses import loss_reason
from fleetlog_core.rules.run_keys import TOO_MANY_METRICS, beyond, words
from fleetlog_core.warehouse.schema import PLACE_BITS
from fleetlog_proto.v1 import event_pb2, frame_pb2

from fleetlog_ingest.materializer.fold import repeats
from fleetlog_ingest.materializer.fold.artifacts import Stored, problem_of
from fleetlog_ingest.materializer.fold.decoding import MALFORMED, Decoded
from fleetlog_ingest.materializer.fold.event_rows import EventRows
from fleetlog_ingest.materializer.fold.model_fold import ModelFold
from fleetlog_ingest.materializer.fold.result import NOBODY, DeadLetter, Folded
from fleetlog_ingest.materializer.fold.run_fold import Place, RunFold
from fleetlog_ingest.materializer.fold.sequences import SequenceSet
from fleetlog_ingest.materializer.fold.state import RunContent, RunKey, State, WriterKey

CLOCK_AHEAD_MILLIS = 300_000
"""How far a writer's clock may be ahead of the gateway's before it is told."""
_LAST_WORDS = frozenset({"run_finished", "loss_reported", "event_refused"})
"""Events by which alone a writer that fell silent is not heard of again."""


@dataclass(slots=True)
class Lost:
    """Events of a frame whose sequences other events have."""

    first: event_pb2.Event | None = None
    events: int = 0
    points: int = 0


class EventFold:
    """Folds the frames of one batch of one partition; used once.

    `stored` tells of every artifact that the frames speak of, `why_pending` what the store lacked. Records at `refused`
    offsets were refused by the warehouse: of these only the problem is kept.
    """

    def __init__(
        self,
        state: State,
        partition: int,
        next_offset: int,
        stored: Mapping[ObjectName, Stored],
        refused: Mapping[int, str] | None = None,
        limits: RunLimits | None = None,
        why_pending: str = "",
    ) -> None:
        self._before = state
        self._why_pending = why_pending
        self._stored = stored
        self._refused = refused or {}
        self._limits = limits or RunLimits()
        self._out = Folded()
        self._rows = EventRows(partition, next_offset)
        self._models = ModelFold(state, self._out.changes, self._rows)
        self._runs = RunFold(state, self._out.changes, self._rows, self._limits)
        # Of the record and the event at hand:
        self._frame = frame_pb2.Frame()
        self._event = event_pb2.Event()
        self._key: RunKey = ("", b"")
        self._offset = 0
        self._place = 0
        self._problems = 0
        self._measured = 0
        # Of the frame alone: a replay that batches otherwise gives the same rows.
        self._loss_reasons = set[str]()
        self._time = 0

    def fold(self, records: Sequence[Decoded]) -> Folded:
        """Fold them, in order."""
        for decoded in records:
            if decoded.frame is None:
                self._out.dead.append(DeadLetter(decoded.record, decoded.problem))
            elif decoded.heard:
                self._hear(decoded)
            else:
                self._fold_frame(decoded, decoded.frame)
        self._out.tables = self._rows.finish(self._before, self._out.changes)
        return self._out

    def _fold_frame(self, decoded: Decoded, frame: frame_pb2.Frame) -> None:
        namespace, run_id = decoded.namespace, frame.run_id
        self._frame, self._key, self._offset = frame, (namespace, run_id), decoded.record.offset
        self._place = self._problems = self._measured = 0
        self._loss_reasons = set[str]()
        if not decoded.of_model:
            self._rows.touch(self._key)
        if self._offset in self._refused:
            if frame.events:
                self._event = frame.events[0]
            self._problem("WAREHOUSE_REFUSED", self._refused[self._offset], sum(map(_points_of, frame.events)))
            self._out.dead.append(DeadLetter(decoded.record, "WAREHOUSE_REFUSED"))
            return
        writer = (namespace, run_id, frame.writer_id)
        applied = self._out.changes.writers.get(writer)
        if applied is None:
            known = self._before.writers.get(writer)
            applied = SequenceSet() if known is None else known.copy()
        rank = frame.rank if frame.HasField("rank") else NOBODY
        took, reason, before = False, "", applied.last
        unheard = not frame.redelivered and not decoded.of_model
        content, lost = self._content(), Lost()
        for event in frame.events:
            if event.sequence in applied:
                self._out.duplicates += 1
                if content is not None:
                    self._repeated(event, content, lost)
                continue
            if unheard:
                unheard = False
                self._heard(writer, frame)
            refusal = self._fold_event(event, rank)
            if refusal:
                # The sequence stays open: sent again from the dead letters to code that knows better, it is new.
                reason = refusal
                continue
            applied.add(event.sequence)
            if content is not None:
                repeats.add_event(content, event)
            self._out.events += 1
            took = True
        if took:
            self._out.changes.writers[writer] = applied
            self._rows.wrote(writer, rank, frame.request_digest)
            if frame.events[0].sequence > before + 1:
                self._gap(before, frame.events[0])
        if lost.first is not None:
            self._reused(lost, lost.first)
        if reason:
            self._out.dead.append(DeadLetter(decoded.record, reason))

    def _heard(self, writer: WriterKey, frame: frame_pb2.Frame) -> None:
        """New events of the writer came. An end alone may be of a process that another one follows."""
        kinds = (event.WhichOneof("payload") for event in frame.events)
        if self._runs.work(writer) is not None:
            if any(kind not in _LAST_WORDS for kind in kinds):
                self._runs.heard(writer, self._offset, wrote=False)
        elif "metrics_logged" in kinds:
            self._runs.heard(writer, self._offset, wrote=True)

    def _hear(self, decoded: Decoded) -> None:
        """Writers live, as a gateway says."""
        for run_id, writer_id in decoded.heard:
            writer = (decoded.namespace, run_id, writer_id)
            if self._runs.heard(writer, decoded.record.offset, wrote=False):
                self._rows.touch(writer[:2])
                self._wrote_again(writer)

    def _wrote_again(self, writer: WriterKey) -> None:
        """Write the writer's row anew: since when it is at work is another time."""
        changes, work = self._out.changes, self._runs.work(writer)
        if writer not in changes.writers and work is not None:
            changes.writers[writer] = self._before.writers[writer]
            self._rows.wrote(writer, work.rank, 0)

    def _gap(self, before: int, event: event_pb2.Event) -> None:
        """Sequences are missing before the event. They may come yet, from the dead letters for instance."""
        missing = event.sequence - before - 1
        self._out.gaps += missing
        self._event = event
        self._problem(
            "SEQUENCE_GAP",
            f"{missing:,} events of the writer are missing before this one, sequences {before + 1:,} to"
            f" {event.sequence - 1:,}: they were refused, could not be applied, or never reached the log",
        )

    def _content(self) -> RunContent | None:
        """What the run of the frame holds, to be changed; None when none of its events come again."""
        content = self._out.changes.content.get(self._key)
        if content is None and (before := self._before.content.get(self._key)) is not None:
            content = self._out.changes.content[self._key] = before.copy()
        return content

    def _repeated(self, event: event_pb2.Event, content: RunContent, lost: Lost) -> None:
        """The event has a sequence that is applied: look whether it is that event."""
        if (self._frame.writer_id, event.sequence) in content.told:
            return
        changes, before, key = self._out.changes, self._before, self._key
        written = changes.params.get(key) or before.params.get(key, {})
        datasets = changes.datasets.get(key) or before.datasets.get(key, {})
        lacks, points = repeats.missing_of(content, event, written, datasets)
        if lacks:
            lost.first = lost.first or event
            lost.events += 1
            lost.points += points

    def _reused(self, lost: Lost, first: event_pb2.Event) -> None:
        self._out.reused += lost.events
        self._event = first
        self._problem(
            "SEQUENCE_REUSED",
            f"{lost.events:,} events with {lost.points:,} points were passed over, from sequence {first.sequence:,} on:"
            " other events of this writer have their sequences. Two processes with one writer id? Give each its own",
            lost.points,
        )

    def _fold_event(self, event: event_pb2.Event, rank: int) -> str:
        """Apply one event. The reason when it can't be."""
        self._event = event
        self._time = event.observe_time_millis or self._frame.ingest_time_millis
        kind = event.WhichOneof("payload")
        if kind is None:
            return "" if event.ignorable else self._refuse("UNKNOWN_EVENT", "the event is of a kind that is not known")
        if not belongs(kind, self._frame.subject):
            return self._refuse("WRONG_SUBJECT", f"{kind}: it is no event of what it was told of")
        if kind == "metrics_logged":
            return self._metrics(event.metrics_logged, rank)
        if self._frame.subject == frame_pb2.SUBJECT_MODEL:
            if not self._of_any(event, kind):
                wrong = self._models.fold(self._key, event, self._time, self._offset, self._next_ver)
                if wrong is not None:
                    self._problem(*wrong)
            return ""
        if kind != "run_started":
            self._runs.run(self._key, self._time, self._offset)
        if not self._of_any(event, kind):
            frame = self._frame
            writer, times = (*self._key, frame.writer_id), (self._time, frame.ingest_time_millis)
            said = (frame.request_digest != 0, frame.redelivered)
            place = Place(self._key, writer, rank, *times, self._offset, self._next_ver, *said)
            for reason, message in self._runs.fold(event, kind, place):
                self._problem(reason, message)
            if kind in ("run_started", "run_finished"):
                self._look_at_clock()
        return ""

    def _of_any(self, event: event_pb2.Event, kind: str) -> bool:
        """Apply an event that runs and logged models have; False when it is another one."""
        if kind == "artifact_logged":
            self._artifact(event.artifact_logged)
        elif kind == "artifacts_deleted":
            self._rows.artifacts_deleted(self._key, event.artifacts_deleted.path, self._next_ver(1))
        elif kind == "loss_reported":
            loss = event.loss_reported
            text = f"the client dropped {loss.points} points and {loss.events} other events"
            reason = loss_reason(loss.reason, self._loss_reasons) if loss.reason else "LOSS_REPORTED"
            self._problem(reason, text, loss.points)
        elif kind == "event_refused":
            refused = event.event_refused
            self._problem(refused.reason or "EVENT_REFUSED", refused.message, refused.points)
        else:
            return False
        return True

    def _look_at_clock(self) -> None:
        """Tell of a clock that is ahead, once or twice for each writer. One that is behind may be one that waited."""
        taken = self._frame.ingest_time_millis
        ahead = self._event.observe_time_millis - taken
        if taken and ahead > CLOCK_AHEAD_MILLIS:
            self._problem(
                "CLOCK_AHEAD",
                f"the writer's clock was {ahead // 1000:,} s ahead of the server's: its times, and how long the run"
                " took, are off by that. Nothing was dropped; set the clock of that machine",
            )

    def _metrics(self, event: event_pb2.MetricsLogged, rank: int) -> str:
        run = self._runs.run(self._key, self._time, self._offset)
        keys, excess = self._runs.keys(self._key), []
        if keys is not None:
            excess = beyond(keys.metrics, [column.key for column in event.columns], self._limits.metrics)
        kept = _without(event, excess) if excess else event
        if kept.columns or not excess:
            if not self._rows.points(self._key, run, rank, self._offset, kept, self._time):
                return self._refuse(MALFORMED, "the columns of the metrics are not of one length")
            self._out.points += len(kept.step_deltas) * len(kept.columns)
            if len(event.model_id) == ID_BYTES:
                found = self._rows.model_metrics(self._key, kept, self._offset, self._measured, self._time)
                self._measured += found
        if keys is not None:
            keys.metrics.update(column.key for column in kept.columns)
        if excess:
            points = len(event.step_deltas) * (len(event.columns) - len(kept.columns))
            self._problem(TOO_MANY_METRICS, words(TOO_MANY_METRICS, excess, self._limits.metrics), points)
        return ""

    def _next_ver(self, rows: int) -> int:
        """The `ver` of the first of a number of rows of the record at hand."""
        ver = self._offset << PLACE_BITS | self._place
        self._place += rows
        return ver

    def _artifact(self, event: event_pb2.ArtifactLogged) -> None:
        namespace, run_id = self._key
        stored = self._stored.get(ObjectName(namespace, run_id, event.sha256), Stored.MISSING)
        # Taken whatever the store said, so that all behind it is numbered in one way.
        ver, time = self._next_ver(1), self._frame.ingest_time_millis
        wrong = problem_of(event, stored)
        if stored is Stored.PENDING:
            sender = (self._frame.writer_id, self._event.sequence)
            self._rows.pending_artifact(self._key, event, time, ver, sender, self._why_pending)
        elif wrong is not None:
            self._problem(*wrong)
        else:
            self._rows.artifact(self._key, event, time, ver)

    def _refuse(self, reason: str, message: str) -> str:
        self._problem(reason, message, _points_of(self._event))
        return reason

    def _problem(self, reason: str, message: str, points: int = 0) -> None:
        frame, place = self._frame, self._problems
        self._problems += 1
        content = self._out.changes.content.get(self._key)
        if content is not None:
            content.told.add((frame.writer_id, self._event.sequence))
        sender, what = (frame.writer_id, self._event.sequence), (reason, message, points, frame.ingest_time_millis)
        self._rows.problem(self._key, (self._offset, place, *sender, *what))


def _without(event: event_pb2.MetricsLogged, keys: Sequence[str]) -> event_pb2.MetricsLogged:
    left = set(keys)
    return event_pb2.MetricsLogged(
        step_deltas=event.step_deltas,
        time_deltas_millis=event.time_deltas_millis,
        model_id=event.model_id,
        dataset_name=event.dataset_name,
        dataset_digest=event.dataset_digest,
        columns=[column for column in event.columns if column.key not in left],
    )


def _points_of(event: event_pb2.Event) -> int:
    return len(event.metrics_logged.step_deltas) * len(event.metrics_logged.columns)
