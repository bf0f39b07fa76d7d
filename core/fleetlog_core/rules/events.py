"""One event: whether the log may keep it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence, Sized
from itertools import accumulate

from fleetlog_proto.v1 import event_pb2, frame_pb2

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.ids import ID_BYTES
from fleetlog_core.rules.datasets import check_dataset
from fleetlog_core.rules.logged_models import (
    belongs,
    check_artifacts_deleted,
    check_created,
    check_measured_model,
    check_models_linked,
    check_updated,
)
from fleetlog_core.rules.losses import is_reason
from fleetlog_core.rules.names import check_key, check_keys, check_run_name, check_tags, check_text, check_user, fits
from fleetlog_core.rules.paths import check_artifact_path

_INT64 = 1 << 63
_ENDED = (event_pb2.RUN_STATE_FINISHED, event_pb2.RUN_STATE_FAILED, event_pb2.RUN_STATE_KILLED)
_STATES = frozenset(event_pb2.RunState.values()) - {event_pb2.RUN_STATE_LOST}
"""States that may be given. That a run is lost is for the server to find out."""

Extent = Callable[[Sequence[int]], tuple[int, int]]


def extent(deltas: Sequence[int]) -> tuple[int, int]:
    """Lowest and highest running sum of differences (at least one)."""
    if len(deltas) == 1:
        return deltas[0], deltas[0]
    low = high = None
    for total in accumulate(deltas):
        low = total if low is None or total < low else low
        high = total if high is None or total > high else high
    return (low or 0, high or 0)


def check_event(
    event: event_pb2.Event,
    field: str,
    extent_of: Extent = extent,
    subject: frame_pb2.Subject.ValueType = frame_pb2.SUBJECT_RUN,
) -> int:
    """How many points the event holds. InvalidArgument names the field below `field`.

    `extent_of` sums differences; a caller with numpy passes a faster one. `subject`: what the event is about.
    """
    kind = event.WhichOneof("payload")
    _check_time(event.observe_time_millis, f"{field}.observe_time_millis")
    if kind is not None and not belongs(kind, subject):
        of = "a logged model" if subject == frame_pb2.SUBJECT_MODEL else "a run"
        raise InvalidArgument.of_field("WRONG_SUBJECT", f"{field}.{kind}", f"it is no event of {of}; leave it out")
    if kind == "metrics_logged":
        return check_metrics(event.metrics_logged, f"{field}.metrics_logged", extent_of)
    if kind is None:
        if event.ignorable:
            return 0
        raise InvalidArgument.of_field(
            "UNKNOWN_PAYLOAD", field, "the event has no payload that this server knows; upgrade the server"
        )
    check = _CHECKS.get(kind)
    if check is None:
        raise InvalidArgument.of_field(
            "PAYLOAD_NOT_ALLOWED", f"{field}.{kind}", "only gateways write this event; leave it out"
        )
    check(event, f"{field}.{kind}")
    return 0


def check_metrics(metrics: event_pb2.MetricsLogged, field: str, extent_of: Extent = extent) -> int:
    """How many points. Lengths, keys, steps and times are checked; values may be anything."""
    rows = len(metrics.step_deltas)
    if rows == 0 or not metrics.columns:
        raise InvalidArgument.of_field("METRICS_EMPTY", field, "there are no rows or no columns; send at least one")
    if len(metrics.columns) > limits.COLUMNS_PER_EVENT:
        raise _too_many(f"{field}.columns", len(metrics.columns), limits.COLUMNS_PER_EVENT)
    points = rows * len(metrics.columns)
    if points > limits.POINTS_PER_EVENT:
        raise _too_many(f"{field}.step_deltas", points, limits.POINTS_PER_EVENT)
    times = len(metrics.time_deltas_millis)
    if times not in (0, rows):
        raise InvalidArgument.of_field(
            "COLUMN_LENGTH", f"{field}.time_deltas_millis", f"{times:,} times for {rows:,} rows; send as many, or none"
        )
    keys = [column.key for column in metrics.columns]
    check_keys(keys, lambda place: f"{field}.columns[{place}].key")
    for place, column in enumerate(metrics.columns):
        if len(column.values) != rows:
            raise InvalidArgument.of_field(
                "COLUMN_LENGTH",
                f"{field}.columns[{place}].values",
                f"{len(column.values):,} values of {shown(column.key)} for {rows:,} rows; send as many",
            )
    if len(set(keys)) < len(keys):
        place = next(place for place, key in enumerate(keys) if key in keys[:place])
        raise InvalidArgument.of_field(
            "KEY_REPEATED", f"{field}.columns[{place}].key", f"{shown(keys[place])} stands twice; send it once"
        )
    if metrics.model_id or metrics.dataset_name or metrics.dataset_digest:
        check_measured_model(metrics, field)
    low, high = extent_of(metrics.step_deltas)
    if low < -_INT64 or high >= _INT64:
        raise InvalidArgument.of_field(
            "STEP_OUT_OF_RANGE",
            f"{field}.step_deltas",
            f"step {high if high >= _INT64 else low} is not -2^63 … 2^63-1; log steps within int64",
        )
    if times:
        low, high = extent_of(metrics.time_deltas_millis)
        if low < limits.MIN_TIME_MILLIS or high > limits.MAX_TIME_MILLIS:
            raise _time(f"{field}.time_deltas_millis", high if high > limits.MAX_TIME_MILLIS else low)
    return points


def check_params(params: Iterable[event_pb2.Param], field: str) -> None:
    """Keys, and that each has a value."""
    given = list(params)
    check_keys([param.key for param in given], lambda place: f"{field}[{place}].key")
    for place, param in enumerate(given):
        kind = param.WhichOneof("value")
        if kind is None:
            raise InvalidArgument.of_field(
                "PARAM_WITHOUT_VALUE", f"{field}[{place}]", f"{shown(param.key)} has no value; give it one"
            )
        if kind == "text" and not fits(text := param.text):
            check_text(text, f"{field}[{place}].text")


def _run_started(event: event_pb2.Event, field: str) -> None:
    started = event.run_started
    check_run_name(started.name, f"{field}.name")
    check_user(started.user, f"{field}.user")
    _check_time(started.start_time_millis, f"{field}.start_time_millis")
    if len(started.parent_run_id) not in (0, ID_BYTES):
        raise InvalidArgument.of_field(
            "INVALID_ID",
            f"{field}.parent_run_id",
            f"{len(started.parent_run_id):,} bytes; send the {ID_BYTES} of a run id, or none",
        )
    if len(started.params) > limits.PARAMS_PER_EVENT:
        raise _too_many(f"{field}.params", len(started.params), limits.PARAMS_PER_EVENT)
    if len(started.tags) > limits.TAGS_PER_EVENT:
        raise _too_many(f"{field}.tags", len(started.tags), limits.TAGS_PER_EVENT)
    check_params(started.params, f"{field}.params")
    check_tags(started.tags, f"{field}.tags")


def _run_updated(event: event_pb2.Event, field: str) -> None:
    updated = event.run_updated
    if updated.HasField("name"):
        check_run_name(updated.name, f"{field}.name")
    if updated.state not in _STATES:
        raise InvalidArgument.of_field(
            "STATE_INVALID",
            f"{field}.state",
            f"{_state(updated.state)} is no state; send RUNNING, SCHEDULED, FINISHED, FAILED or KILLED",
        )
    if updated.HasField("end_time_millis"):
        _check_time(updated.end_time_millis, f"{field}.end_time_millis", limits.MIN_END_MILLIS)


def _run_finished(event: event_pb2.Event, field: str) -> None:
    if event.run_finished.state not in _ENDED:
        raise InvalidArgument.of_field(
            "STATE_INVALID",
            f"{field}.state",
            f"{_state(event.run_finished.state)} ends no run; send FINISHED, FAILED or KILLED",
        )
    _check_time(event.run_finished.end_time_millis, f"{field}.end_time_millis")


def _params_logged(event: event_pb2.Event, field: str) -> None:
    params = event.params_logged.params
    _check_count(params, limits.PARAMS_PER_EVENT, f"{field}.params")
    check_params(params, f"{field}.params")


def _tags_set(event: event_pb2.Event, field: str) -> None:
    tags = event.tags_set.tags
    _check_count(tags, limits.TAGS_PER_EVENT, f"{field}.tags")
    check_tags(tags, f"{field}.tags")


def _tags_deleted(event: event_pb2.Event, field: str) -> None:
    keys = event.tags_deleted.keys
    _check_count(keys, limits.TAGS_PER_EVENT, f"{field}.keys")
    for place, key in enumerate(keys):
        check_key(key, f"{field}.keys[{place}]", written=False)


def _datasets_logged(event: event_pb2.Event, field: str) -> None:
    datasets = event.datasets_logged.datasets
    _check_count(datasets, limits.DATASETS_PER_RUN, f"{field}.datasets")
    for place, dataset in enumerate(datasets):
        check_dataset(dataset, f"{field}.datasets[{place}]")


def _artifact_logged(event: event_pb2.Event, field: str) -> None:
    artifact = event.artifact_logged
    check_artifact_path(artifact.path, f"{field}.path")
    check_size_and_digest(artifact.size_bytes, artifact.sha256, field)
    if artifact.content:
        if len(artifact.content) > limits.INLINE_ARTIFACT_BYTES:
            raise _too_many(
                f"{field}.content", len(artifact.content), limits.INLINE_ARTIFACT_BYTES, "upload it with UploadArtifact"
            )
        if len(artifact.content) != artifact.size_bytes:
            raise InvalidArgument.of_field(
                "SIZE_MISMATCH",
                f"{field}.size_bytes",
                f"{artifact.size_bytes:,}, and the content has {len(artifact.content):,} bytes; send its length",
            )
        if hashlib.sha256(artifact.content).digest() != artifact.sha256:
            raise InvalidArgument.of_field(
                "DIGEST_MISMATCH", f"{field}.sha256", "the content has another SHA-256; read the file again"
            )


def check_size_and_digest(size_bytes: int, sha256: bytes, field: str) -> None:
    """SIZE_INVALID, DIGEST_INVALID."""
    if not 0 <= size_bytes <= limits.ARTIFACT_BYTES:
        raise InvalidArgument.of_field(
            "SIZE_INVALID",
            f"{field}.size_bytes",
            f"{size_bytes:,} is not 0 to {limits.ARTIFACT_BYTES:,}; split the file",
        )
    if len(sha256) != 32:
        raise InvalidArgument.of_field(
            "DIGEST_INVALID", f"{field}.sha256", f"{len(sha256):,} bytes; send the 32 of a SHA-256"
        )


def _loss_reported(event: event_pb2.Event, field: str) -> None:
    reason = event.loss_reported.reason
    if reason and not is_reason(reason):
        raise InvalidArgument.of_field(
            "REASON_INVALID",
            f"{field}.reason",
            f"{shown(reason)} is not 1 to {limits.REASON_CHARACTERS} of A-Z 0-9 _ that begin with a letter; send OTHER",
        )


def _anything(event: event_pb2.Event, field: str) -> None:
    """Nothing in it can be wrong."""


def _check_time(millis: int, field: str, lowest: int = limits.MIN_TIME_MILLIS) -> None:
    if not lowest <= millis <= limits.MAX_TIME_MILLIS:
        raise _time(field, millis, lowest)


def _time(field: str, millis: int, lowest: int = limits.MIN_TIME_MILLIS) -> InvalidArgument:
    first = 1900 if lowest else 1970
    return InvalidArgument.of_field(
        "TIME_OUT_OF_RANGE",
        field,
        f"{millis} is not {lowest} … {limits.MAX_TIME_MILLIS} ({first} to 2255); send Unix milliseconds",
    )


def _state(number: int) -> str:
    """The name of a state, or the number of one that this version does not know."""
    names = {int(value): name.removeprefix("RUN_STATE_") for name, value in event_pb2.RunState.items()}
    return names.get(number, str(number))


def _check_count(given: Sized, limit: int, field: str) -> None:
    if not given:
        raise InvalidArgument.of_field("EVENT_EMPTY", field, "there are none; send at least one")
    if len(given) > limit:
        raise _too_many(field, len(given), limit)


def _too_many(field: str, count: int, limit: int, mend: str = "send several events") -> InvalidArgument:
    return InvalidArgument.of_field("OVER_LIMIT", field, f"{count:,}, at most {limit:,}; {mend}")


_CHECKS: dict[str, Callable[[event_pb2.Event, str], None]] = {
    "run_started": _run_started,
    "run_updated": _run_updated,
    "run_finished": _run_finished,
    "run_deleted": _anything,
    "run_restored": _anything,
    "params_logged": _params_logged,
    "tags_set": _tags_set,
    "tags_deleted": _tags_deleted,
    "datasets_logged": _datasets_logged,
    "artifact_logged": _artifact_logged,
    "artifacts_deleted": check_artifacts_deleted,
    "loss_reported": _loss_reported,
    "models_linked": check_models_linked,
    "logged_model_created": check_created,
    "logged_model_updated": check_updated,
    "logged_model_deleted": _anything,
    "logged_model_restored": _anything,
}
