"""Bugs that are planted to see that worlds find them: each is a line of the product that says something else.

The line is changed in the code of the living function; where it is not there any more, planting fails.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import FunctionType


@dataclass(frozen=True, slots=True)
class Bug:
    """One bug: in a function (module:name), `line` becomes `instead`."""

    name: str
    what: str
    function: str
    line: str
    instead: str


_LOOP = "fleetlog_ingest.materializer.loop"
_CONTROL = "fleetlog_ingest.materializer.control"
_STATE = "fleetlog_ingest.materializer.state"
_DELIVERY = "fleetlog._delivery"
_JOURNAL = "fleetlog._journal"
BUGS = (
    Bug("early-ack", "a frame is acknowledged before the log has it",
        "fleetlog_ingest.gateway.intake:Intake._take",
        "done = self._appender.append(EVENTS, names[1], value)",
        "done = self._appender.append(EVENTS, names[1], value) and None"),
    Bug("behind-failure", "what comes behind an append that failed is appended",
        "fleetlog_core.log.appender:Appender._look", "self._failed = True", "self._failed = False"),
    Bug("token-reused", "batches share insert tokens",
        f"{_LOOP}.inserting:Inserter.insert", "{batch.first}-{batch.last}{suffix}", "{batch.first % 2}{suffix}"),
    Bug("token-changes", "a batch that is done again has other insert tokens",
        f"{_LOOP}.inserting:Inserter.insert", "{batch.first}-{batch.last}{suffix}",
        "{batch.first}-{batch.last}{suffix}{id(batch)}"),
    Bug("early-commit", "a batch is confirmed before it is inserted",
        f"{_LOOP}.loop:Materializer._work", "Commit(batch.first, str(batch.last))", "Commit(batch.last + 1)"),
    Bug("no-dedupe", "sequences that were applied are applied again",
        "fleetlog_ingest.materializer.fold.fold:EventFold._fold_frame",
        "if event.sequence in applied:", "if False:"),
    Bug("declared-ignored", "what was declared is not done again as it was",
        f"{_LOOP}.recovery:Recovery.recover", "if commit.metadata:", "if False:"),
    Bug("applied-first", "a batch is said to be applied before its rows are there",
        f"{_LOOP}.apply:Applier.apply", "decided: Sequence[Decision] = ()",
        'decided: Sequence[Decision] = (); self._inserter.insert("applied", columns_of("applied",'
        " [(batch.partition.topic, batch.partition.number, batch.last + 1)]), batch)"),
    Bug("failed-insert-done", "an insert that failed is taken for done",
        f"{_LOOP}.retrying:Retrying.call", "self._wait(wait)", "return None"),
    Bug("zombie-state", "state of a partition that another member had is used again",
        f"{_LOOP}.apply:Applier.forget", "self._states.pop(partition, None)", "pass"),
    Bug("zombie-records", "records of a partition that went are applied when it comes back",
        f"{_LOOP}.loop:Materializer._turn", "self._drop_all_but(assigned)", "pass"),
    Bug("dead-letter-lost", "a dead letter is not waited for",
        f"{_LOOP}.dead_letters:write_dead_letters", "future.result(timeout_seconds)", "pass"),
    Bug("refusal-untold", "a run is not told of its events that were refused",
        "fleetlog_ingest.materializer.fold.fold:EventFold._of_any",
        'self._problem(refused.reason or "EVENT_REFUSED", refused.message, refused.points)', "pass"),
    Bug("low-position", "an acknowledgement's position ends before its last record",
        "fleetlog_ingest.gateway.stream:AppendStream._is_durable",
        "_Reached(record.offset + 1, taken.size)", "_Reached(record.offset, taken.size)"),
    Bug("position-ignored", "a read does not wait for its position",
        "fleetlog_core.applied:AppliedWatch.wait", "if covers(self._known, position):", "if True:"),
    Bug("sync-skipped", "a journal's files are not synced",
        f"{_JOURNAL}.journal:Journal.sync", "self._disk.sync(file)", "pass"),
    Bug("early-removal", "a segment of a journal is removed while its last frame has no answer",
        f"{_JOURNAL}.segments:Segments.forget_below", "last_serial < serial", "last_serial <= serial"),
    Bug("answer-too-high", "a journal takes the first frame without an answer for one that has it",
        f"{_DELIVERY}.spool:Spool.forget", "sent.frame.events[-1].sequence for",
        "sent.frame.events[-1].sequence + 1 for"),
    Bug("journal-left", "a process that leaves events behind removes its journal",
        f"{_DELIVERY}.delivery:Delivery.close", "keep=self.has_pending or bool(self.uploads.names)", "keep=False"),
    Bug("sync-removes-early", "`fleetlog sync` removes a segment before it is delivered",
        f"{_DELIVERY}.redelivery:Redelivery._remove_before",
        "needed = self._unanswered[0].segment if self._unanswered else segment", "needed = segment"),
    Bug("resent-reversed", "a new stream sends again what is in flight in another order",
        f"{_DELIVERY}.stream_frames:StreamFrames.begin",
        "self._sent = 0", "self._sent = 0; self._frames.reverse()"),
    Bug("resent-partly", "a new stream does not send the first frame again",
        f"{_DELIVERY}.stream_frames:StreamFrames.begin", "self._sent = 0", "self._sent = min(self._sent, 1)"),
    Bug("sequence-not-set-back", "items that are framed again get other sequences",
        f"{_DELIVERY}.outbox:Outbox.settle", "deque(starmap(self._items.popleft, repeat((), len(taken))), maxlen=0)",
        "deque(starmap(self._items.popleft, repeat((), len(taken) - (len(taken) > 3))), maxlen=0)"),
    Bug("decided-again", "a request on a name that is sent again is decided again",
        f"{_CONTROL}.control:fold_control", "if (namespace, control.request_id) in decided:", "if False:"),
    Bug("number-again", "a version gets the number of one that was deleted",
        f"{_CONTROL}.registry_decision:Decision.make_version", "self.model.last_version += 1",
        "self.model.last_version = max((key[1] for key, one in self.registry.versions.items()"
        " if key[0] == self.model.model_id and not one.deleted), default=0) + 1"),
    Bug("half-a-batch", "what a batch of names that broke off left is taken for what was before it",
        f"{_STATE}.control_loading:ControlStore.load",
        "first if is_begun else None", "None"),
    Bug("stale-names", "what was known of names is used again behind another member's decisions",
        f"{_LOOP}.apply:Applier.forget", "self._control.forget()", "pass"),
    Bug("experiments-first", "the table that says that a batch of names is in comes before the others",
        f"{_LOOP}.apply:Applier._apply_control",
        "for tables in (CONTROL_FIRST, others, CONTROL_LAST):", "for tables in (CONTROL_LAST, others, CONTROL_FIRST):"),
    Bug("outcome-unawaited", "a request on a name is answered before its outcome is there",
        "fleetlog_ingest.gateway.control:Control.decide",
        "await self._applied.wait(position, timeout_seconds)", "pass"),
)  # fmt: skip


def bug(name: str) -> Bug:
    """The bug of a name. KeyError."""
    return {one.name: one for one in BUGS}[name]


def function_of(name: str) -> FunctionType:
    """The function of a module:name."""
    module, _, path = name.partition(":")
    found: object = import_module(module)
    for part in path.split("."):
        found = inspect.getattr_static(found, part)
    if not isinstance(found, FunctionType):
        raise TypeError(f"{name} is no function")
    return found


@contextmanager
def planted(one: Bug | None) -> Iterator[None]:
    """Have the bug in the product meanwhile; None: none. LookupError: its line is not there."""
    if one is None:
        yield
        return
    function = function_of(one.function)
    source = textwrap.dedent(inspect.getsource(function))
    if source.count(one.line) != 1:
        raise LookupError(f"{one.name}: {one.function} has {source.count(one.line)} times the line {one.line}")
    names: dict[str, object] = {}
    code = compile(f"from __future__ import annotations\n{source.replace(one.line, one.instead)}", one.function, "exec")
    exec(code, function.__globals__, names)  # noqa: S102
    made = names[function.__name__]
    before = function.__code__
    if not isinstance(made, FunctionType):
        raise TypeError(one.function)
    function.__code__ = made.__code__
    try:
        yield
    finally:
        function.__code__ = before
