"""The fold of the control partition: what is unique in a namespace, in the order of the log. Pure.

Experiments are decided here, registered models in `registry_fold`, webhooks in `webhook_fold`, documents in
`document_fold`, tokens in `token_fold`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from fleetlog_core.decisions import Decision
from fleetlog_core.errors import shown
from fleetlog_core.registry.states import State
from fleetlog_core.warehouse.schema import PURGED
from fleetlog_proto.v1 import frame_pb2

from fleetlog_ingest.materializer.control.document_fold import DOCUMENT_INTENTS, DocumentFold, Documents
from fleetlog_ingest.materializer.control.outcome import Outcome
from fleetlog_ingest.materializer.control.registry_decision import Registry
from fleetlog_ingest.materializer.control.registry_fold import INTENTS, RegistryFold
from fleetlog_ingest.materializer.control.token_fold import TOKEN_INTENTS, TokenFold, Tokens
from fleetlog_ingest.materializer.control.webhook_fold import WEBHOOK_INTENTS, WebhookFold, Webhooks
from fleetlog_ingest.materializer.fold.decoding import Decoded
from fleetlog_ingest.materializer.fold.result import DeadLetter
from fleetlog_ingest.materializer.fold.tables import Columns, Row, columns_of
from fleetlog_ingest.request_digests import digest_of_intent

CONTROL_FIRST = ("outcomes", "registry_history", "experiment_history")
"""Tables of a batch that are all in before any other: outcomes of it say that others may be, and the history has what
was before them."""
CONTROL_LAST = ("experiments",)
"""Tables after all others: a row of the batch says that all of it is in."""
DEFAULT_NAME = "Default"
EXPERIMENT_STATE = ("namespace", "experiment", "name", "deleted", "ver")
"""What later events change of an experiment, as `experiment_history` keeps it."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """One row of `experiments`. Times are Unix milliseconds."""

    number: int
    name: str
    tags: dict[str, str] = field(default_factory=dict)
    create_time: int = 0
    update_time: int = 0
    deleted: bool = False
    ver: int = 0
    artifact_location: str = ""
    purged: bool = False


DEFAULT_EXPERIMENT = Experiment(0, DEFAULT_NAME)
"""Experiment 0 of a namespace that never changed it."""


@dataclass(frozen=True, slots=True)
class ControlState:
    """By namespace: all its experiments by number, the models and documents that the batch names, and its webhooks; and
    the requests of the batch that have an outcome already.
    """

    experiments: dict[str, dict[int, Experiment]] = field(default_factory=dict)
    decided: frozenset[tuple[str, bytes]] = frozenset()
    registries: Mapping[str, Registry] = field(default_factory=dict)
    webhooks: Mapping[str, Webhooks] = field(default_factory=dict)
    documents: Mapping[str, Documents] = field(default_factory=dict)
    tokens: Tokens = field(default_factory=dict)
    """All of them, of every namespace."""


@dataclass(slots=True)
class ControlFolded:
    """Rows by table, dead letters, the namespaces that changed, and the decisions in the order of the log."""

    tables: dict[str, Columns] = field(default_factory=dict)
    changes: dict[str, dict[int, Experiment]] = field(default_factory=dict)
    dead: list[DeadLetter] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    models: list[tuple[str, State]] = field(default_factory=list)
    """States of the registry that changed, with their namespaces, as they are now."""


def fold_control(records: Sequence[Decoded], state: ControlState) -> ControlFolded:
    """Decide the requests one after another. A request id that has an outcome keeps it."""
    out = ControlFolded()
    decided = set(state.decided)
    changed: dict[tuple[str, int, int], Experiment] = {}
    registry, webhooks = RegistryFold(state.registries), WebhookFold(state.webhooks)
    documents, tokens = DocumentFold(state.documents), TokenFold(state.tokens)
    for decoded in records:
        record, control = decoded.record, decoded.control
        if control is None:
            out.dead.append(DeadLetter(record, decoded.problem))
            continue
        namespace = decoded.namespace
        if (namespace, control.request_id) in decided:
            continue
        kind = control.WhichOneof("intent")
        if kind is None:
            out.dead.append(DeadLetter(record, "UNKNOWN_INTENT"))
            continue
        if kind in INTENTS:
            outcome = registry.decide(control, namespace, record.offset)
        elif kind in WEBHOOK_INTENTS:
            outcome = webhooks.decide(control, namespace, record.offset)
        elif kind in DOCUMENT_INTENTS:
            outcome = documents.decide(control, namespace, record.offset)
        elif kind in TOKEN_INTENTS:
            outcome = tokens.decide(control, record.offset)
        else:
            experiments = out.changes.get(namespace)
            if experiments is None:
                experiments = {0: DEFAULT_EXPERIMENT, **state.experiments.get(namespace, {})}
                out.changes[namespace] = experiments
            outcome, experiment = decide(control, experiments, record.offset)
            if experiment is not None:
                experiments[experiment.number] = experiment
                # Each state is a row, for those who ask what was.
                changed[(namespace, experiment.number, experiment.ver)] = experiment
        decided.add((namespace, control.request_id))
        out.decisions.append(_decision(control, namespace, record.offset, outcome))
    if out.decisions:
        out.tables["outcomes"] = columns_of("outcomes", [_outcome_row(decision) for decision in out.decisions])
    out.tables.update(registry.tables())
    out.models = registry.changed()
    out.tables.update(webhooks.tables())
    out.tables.update(documents.tables())
    out.tables.update(tokens.tables())
    if changed:
        rows = [_row_of(namespace, experiment) for (namespace, _, _), experiment in changed.items()]
        columns = columns_of("experiments", rows)
        # First: a row in `experiments` says that all of the batch is in.
        out.tables["experiment_history"] = {name: columns[name] for name in EXPERIMENT_STATE}
        out.tables["experiments"] = columns
    return out


def _decision(control: frame_pb2.ControlRecord, namespace: str, offset: int, outcome: Outcome) -> Decision:
    return Decision(
        namespace,
        control.request_id,
        offset,
        outcome.accepted,
        outcome.experiment,
        outcome.reason,
        outcome.message,
        digest_of_intent(control),
        outcome.result,
        control.ingest_time_millis,
        outcome.states,
    )


def _outcome_row(decision: Decision) -> Row:
    told = (int(decision.accepted), decision.experiment, decision.reason, decision.message)
    return (decision.namespace, decision.request_id, *told, decision.offset, decision.digest, decision.result)


def decide(
    control: frame_pb2.ControlRecord, experiments: dict[int, Experiment], offset: int
) -> tuple[Outcome, Experiment | None]:
    """The outcome of one request, and the experiment that it makes or changes."""
    kind, time = control.WhichOneof("intent"), control.ingest_time_millis
    if kind == "experiment_created":
        return _create(control.experiment_created, experiments, time, offset)
    if kind == "experiment_updated":
        update = control.experiment_updated
        old = _known(experiments, update.experiment_id)
        if old is None:
            return _not_found(update.experiment_id), None
        name = update.name if update.HasField("name") else old.name
        taken = _by_name(experiments, name)
        if taken is not None and taken.number != old.number:
            return _taken(taken), None
        gone = set(update.deleted_tags)
        tags = {key: text for key, text in old.tags.items() if key not in gone}
        tags.update(update.tags)
        return Outcome(True, old.number), replace(old, name=name, tags=tags, update_time=time, ver=offset)
    if kind == "experiment_purged":
        return _purge(control.experiment_purged.experiment_id, experiments, time, offset)
    deleted = kind == "experiment_deleted"
    number = (control.experiment_deleted if deleted else control.experiment_restored).experiment_id
    old = _known(experiments, number)
    if old is None:
        return _not_found(number), None
    if deleted and number == 0 and not control.experiment_deleted.default_too:
        message = f"experiment_id: 0 ({shown(old.name)}) can't be deleted; every namespace has it"
        return Outcome(False, 0, "DEFAULT_EXPERIMENT", message), None
    return Outcome(True, number), replace(old, deleted=deleted, update_time=time, ver=offset)


def _create(
    created: frame_pb2.ExperimentCreated, experiments: dict[int, Experiment], time: int, offset: int
) -> tuple[Outcome, Experiment | None]:
    taken = _by_name(experiments, created.name)
    if taken is not None:
        if created.exist_ok and not taken.deleted:
            return Outcome(True, taken.number), None
        return _taken(taken), None
    number = max(experiments) + 1
    made = Experiment(
        number,
        created.name,
        dict(created.tags),
        create_time=time,
        update_time=time,
        ver=offset,
        artifact_location=created.artifact_location,
    )
    return Outcome(True, number), made


def _purge(
    number: int, experiments: dict[int, Experiment], time: int, offset: int
) -> tuple[Outcome, Experiment | None]:
    old = _known(experiments, number)
    if old is None:
        return _not_found(number), None
    if not old.deleted:
        message = f"experiment_id: {number} ({shown(old.name)}) is not deleted; delete it before"
        return Outcome(False, 0, "EXPERIMENT_NOT_DELETED", message), None
    if number == 0:
        message = f"experiment_id: 0 ({shown(old.name)}) can't be purged; every namespace has it"
        return Outcome(False, 0, "DEFAULT_EXPERIMENT", message), None
    return Outcome(True, number), replace(old, purged=True, update_time=time, ver=offset)


def _known(experiments: dict[int, Experiment], number: int) -> Experiment | None:
    """The experiment of a number, unless it is gone for good."""
    found = experiments.get(number)
    return None if found is None or found.purged else found


def _by_name(experiments: dict[int, Experiment], name: str) -> Experiment | None:
    return next((found for found in experiments.values() if found.name == name and not found.purged), None)


def _taken(taken: Experiment) -> Outcome:
    which = f"{taken.number}, which is deleted: restore or rename that one" if taken.deleted else str(taken.number)
    message = f"name: {shown(taken.name)} is the name of experiment {which}"
    return Outcome(False, taken.number, "EXPERIMENT_EXISTS", message)


def _not_found(number: int) -> Outcome:
    return Outcome(False, 0, "EXPERIMENT_NOT_FOUND", f"experiment_id: there is no experiment {number}")


def _row_of(namespace: str, experiment: Experiment) -> Row:
    tags = json.dumps(experiment.tags, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    times = (experiment.create_time, experiment.update_time)
    return (
        namespace,
        experiment.number,
        experiment.name,
        tags,
        *times,
        PURGED if experiment.purged else int(experiment.deleted),
        experiment.ver,
        experiment.artifact_location,
    )
