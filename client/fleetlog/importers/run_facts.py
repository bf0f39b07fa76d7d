"""A run of a source as it is to be here, pure: its id, its tags with its old name, its first and last event.

An item that no run can have, such as a text that is too long, is left out by itself and told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, ResourceExhausted, shown
from fleetlog_core.rules.datasets import TEXTS
from fleetlog_core.rules.events import check_event
from fleetlog_core.rules.names import check_run_name, check_user
from fleetlog_proto.v1 import event_pb2, logged_model_event_pb2

from fleetlog._imports.source_ids import SOURCE_ID, SOURCE_PARENT, own_id, run_id_of
from fleetlog._values.columns import pieces
from fleetlog._values.params import to_params, to_tags
from fleetlog._values.values import LeftOut
from fleetlog.importers.model_ids import model_id_of
from fleetlog.importers.source import SourceDataset, SourceRun, Unread

SOURCE_KIND = "source_kind"
"""Tag that tells what the run was imported from, such as "mlflow"."""
SOURCE_STATE = "source_state"
"""Tag of runs that went on where they come from when they were imported: RUNNING, or what else no import can say."""
_MLFLOW_PARENT = "mlflow.parentRunId"
"""Tag by which MLflow's pages nest runs; it names the parent as it is called here."""
_ENDS = {
    "FINISHED": event_pb2.RUN_STATE_FINISHED,
    "FAILED": event_pb2.RUN_STATE_FAILED,
    "KILLED": event_pb2.RUN_STATE_KILLED,
    "LOST": event_pb2.RUN_STATE_KILLED,
}

SETTLED_MILLIS = 3_600_000
"""Milliseconds since its end after which a run is the same to every import that is under way."""


def may_grow(run: SourceRun, now_millis: int) -> bool:
    """True if two imports that look at the run one after the other may see different ones."""
    return run.state not in _ENDS or run.end_time is None or run.end_time > now_millis - SETTLED_MILLIS


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """A run of a source, and what it is here."""

    source: SourceRun
    run_id: bytes
    parent_id: bytes
    start_millis: int
    end_millis: int
    """0 = it goes on, or its end is not known."""
    name: str
    user: str
    tags: Mapping[str, str]
    """The source's, and those that tell of the source."""

    @property
    def has_ended(self) -> bool:
        """True if it takes nothing more where it comes from."""
        return self.source.state in _ENDS


def prepared(
    source: SourceRun, kind: str, start_millis: int, parents: Mapping[str, bytes], left_out: list[Unread]
) -> PreparedRun:
    """Returns the run as it is to be here; what it can't have goes to `left_out`.

    `start_millis`: as `start_of` gives it; `parents`: ids here of runs of the source.
    """
    # What has come through other trackers keeps the tags of where it came from first.
    tags = {SOURCE_KIND: kind, **source.tags}
    if own_id(source.id) is None:
        tags.setdefault(SOURCE_ID, source.id)
    parent = b""
    if source.parent:
        parent = parents.get(source.parent) or own_id(source.parent) or b""
        if own_id(source.parent) is None:
            tags.setdefault(SOURCE_PARENT, source.parent)
        if parent and _MLFLOW_PARENT in tags:
            tags[_MLFLOW_PARENT] = parent.hex()
    if source.state not in ("FINISHED", "FAILED", "KILLED"):
        tags[SOURCE_STATE] = source.state
    end = 0 if source.end_time is None or source.state not in _ENDS else source.end_time
    kept_end = min(max(end, limits.MIN_TIME_MILLIS), limits.MAX_TIME_MILLIS)
    if kept_end != end or source.start_time not in (None, start_millis):
        left_out.append(_changed(source, "its start or end is not from 1970 to 2255: the nearest time is kept"))
    name, user = source.name, source.user
    for field, label, check in (("name", name, check_run_name), ("user", user, check_user)):
        try:
            check(label, field)
        except InvalidArgument as error:
            left_out.append(Unread(f"run {source.id}", f"its {field} is left out: {error.violations[0].description}"))
            name, user = ("", user) if field == "name" else (name, "")
    return PreparedRun(source, run_id_of(source.id, start_millis), parent, start_millis, kept_end, name, user, tags)


def opening_events(run: PreparedRun, experiment_id: int, left_out: list[Unread]) -> list[event_pb2.Event]:
    """Returns what opens the run, and says everything of it but points and files."""
    params, bad_params = to_params(run.source.params)
    tags, bad_tags = to_tags(run.tags)
    first_params, *more_params = list(pieces(params, lambda param: param.ByteSize())) or [[]]
    first_tags, *more_tags = list(pieces(tags, lambda tag: 4 * (len(tag[0]) + len(tag[1])))) or [[]]
    started = event_pb2.RunStarted(
        experiment_id=experiment_id,
        name=run.name,
        user=run.user,
        start_time_millis=run.start_millis,
        parent_run_id=run.parent_id,
        params=first_params,
        tags=dict(first_tags),
        opening=event_pb2.RUN_OPENING_CREATE,
    )
    left_out += [*_left_out(run.source, "param", bad_params), *_left_out(run.source, "tag", bad_tags)]
    # A branch has its name from where it was made.
    renamed = [event_pb2.RunUpdated(name=run.name)] if run.source.fork is not None and run.name else []
    return [
        _event(run, event_pb2.Event(run_started=started)),
        *(_event(run, event_pb2.Event(run_updated=one)) for one in renamed),
        *(_event(run, event_pb2.Event(params_logged=event_pb2.ParamsLogged(params=piece))) for piece in more_params),
        *(_event(run, event_pb2.Event(tags_set=event_pb2.TagsSet(tags=dict(piece)))) for piece in more_tags),
        *_dataset_events(run, left_out),
        *_model_events(run),
    ]


def reopening_event(run: PreparedRun, experiment_id: int) -> event_pb2.Event:
    """Returns what opens one more writer of the run, whatever its state."""
    opening = event_pb2.RUN_OPENING_ANNOTATE
    return _event(run, event_pb2.Event(run_started=event_pb2.RunStarted(experiment_id=experiment_id, opening=opening)))


def change_events(
    run: PreparedRun, params: Mapping[str, object], tags: Mapping[str, str], *, overwrites: bool, left_out: list[Unread]
) -> list[event_pb2.Event]:
    """Returns what brings the params and tags of a run that is here already up to the source's.

    Params and tags that it has stay as they are, but with `overwrites` tags that are others at the source.
    """
    new_params, bad_params = to_params({key: value for key, value in run.source.params.items() if key not in params})
    told = dict(run.tags)
    if not overwrites and not run.has_ended:
        # It was read before it ended, and meanwhile another import ended it here.
        told.pop(SOURCE_STATE, None)
    wanted = {key: text for key, text in told.items() if (tags.get(key) != text if overwrites else key not in tags)}
    new_tags, bad_tags = to_tags(wanted)
    left_out += [*_left_out(run.source, "param", bad_params), *_left_out(run.source, "tag", bad_tags)]
    return [
        *(
            _event(run, event_pb2.Event(params_logged=event_pb2.ParamsLogged(params=piece)))
            for piece in pieces(new_params, lambda param: param.ByteSize())
        ),
        *(
            _event(run, event_pb2.Event(tags_set=event_pb2.TagsSet(tags=dict(piece))))
            for piece in pieces(new_tags, lambda tag: 4 * (len(tag[0]) + len(tag[1])))
        ),
    ]


def ending_events(run: PreparedRun, known_tags: Mapping[str, str]) -> Iterator[event_pb2.Event]:
    """Yields how the run ended and that it is deleted. `known_tags`: those that it has here already."""
    if run.has_ended:
        if SOURCE_STATE in known_tags and SOURCE_STATE not in run.tags:
            yield _event(run, event_pb2.Event(tags_deleted=event_pb2.TagsDeleted(keys=[SOURCE_STATE])))
        finished = event_pb2.RunFinished(
            state=_ENDS[run.source.state], end_time_millis=run.end_millis or run.start_millis
        )
        yield _event(run, event_pb2.Event(run_finished=finished))
    if run.source.deleted:
        yield _event(run, event_pb2.Event(run_deleted=event_pb2.RunDeleted()))


def state_of(run: PreparedRun) -> str:
    """Returns the state of the run in a table of runs."""
    return "KILLED" if run.source.state == "LOST" else run.source.state if run.has_ended else "RUNNING"


def _dataset_events(run: PreparedRun, left_out: list[Unread]) -> Iterator[event_pb2.Event]:
    for dataset in run.source.datasets:
        message, files = _dataset(dataset)
        event = event_pb2.Event(datasets_logged=event_pb2.DatasetsLogged(datasets=[message]))
        events = [_event(run, one) for one in (*files, event)]
        try:
            for one in events:
                check_event(one, "event")
        except (InvalidArgument, ResourceExhausted) as error:
            where = f"run {run.source.id}, dataset {shown(dataset.name)}"
            left_out.append(Unread(where, f"it is left out: {error.message}"))
            continue
        yield from events


def _dataset(dataset: SourceDataset) -> tuple[event_pb2.Dataset, list[event_pb2.Event]]:
    """The dataset, and the files of its texts that are too long for it."""
    message = event_pb2.Dataset(
        name=dataset.name, digest=dataset.digest, context=dataset.context, source_type=dataset.source_type,
        tags=dict(dataset.tags),
    )  # fmt: skip
    files = []
    for field in TEXTS:
        content = getattr(dataset, field).encode()
        if len(content) <= limits.DATASET_TEXT_BYTES:
            setattr(message, field, getattr(dataset, field))
            continue
        digest = hashlib.sha256(content)
        message.text_files[field] = path = f"datasets/{digest.hexdigest()}.txt"
        logged = event_pb2.ArtifactLogged(path=path, size_bytes=len(content), sha256=digest.digest(), content=content)
        files.append(event_pb2.Event(artifact_logged=logged))
    return message, files


def _model_events(run: PreparedRun) -> Iterator[event_pb2.Event]:
    inputs, outputs = run.source.input_models, run.source.output_models
    if inputs or outputs:
        linked = logged_model_event_pb2.ModelsLinked(
            input_model_ids=[model_id_of(one) for one in inputs],
            outputs=[logged_model_event_pb2.ModelOutput(model_id=model_id_of(one), step=step) for one, step in outputs],
        )
        yield _event(run, event_pb2.Event(models_linked=linked))


def _event(run: PreparedRun, event: event_pb2.Event) -> event_pb2.Event:
    # The start, not now: the same events each time that the run is imported.
    event.observe_time_millis = run.start_millis
    return event


def _left_out(source: SourceRun, what: str, out: Sequence[LeftOut]) -> list[Unread]:
    return [Unread(f"run {source.id}, {what} {shown(one.key)}", f"it is left out: {one}") for one in out]


def _changed(source: SourceRun, why: str) -> Unread:
    return Unread(f"run {source.id}", why, is_fault=False)
