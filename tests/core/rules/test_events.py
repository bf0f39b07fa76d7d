from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument
from fleetlog_core.rules.events import check_event, extent
from fleetlog_proto.v1 import event_pb2
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from tests.core.rules.refusals import reason_of, refused

Event = event_pb2.Event
TAGS_OVER = {str(n): "" for n in range(limits.TAGS_PER_EVENT + 1)}
MAX, MIN = (1 << 63) - 1, -(1 << 63)
LATEST = limits.MAX_TIME_MILLIS
SHA = hashlib.sha256(b"abc").digest()
FIELD = "frame.events[0]"


def metrics(
    steps: Sequence[int],
    values: Sequence[float] | None = None,
    times: Sequence[int] = (),
    keys: Sequence[str] = ("loss",),
) -> event_pb2.Event:
    """Steps and times as differences."""
    event = Event()
    event.metrics_logged.step_deltas.extend(steps)
    event.metrics_logged.time_deltas_millis.extend(times)
    for key in keys:
        event.metrics_logged.columns.add(key=key).values.extend([0.0] * len(steps) if values is None else values)
    return event


def started(**fields: object) -> event_pb2.Event:
    return Event(run_started=event_pb2.RunStarted(**fields))  # type: ignore[arg-type]


def artifact(path: str = "a.txt", size: int = 3, sha256: bytes = SHA, content: bytes = b"") -> event_pb2.Event:
    return Event(artifact_logged=event_pb2.ArtifactLogged(path=path, size_bytes=size, sha256=sha256, content=content))


def finished(state: int, end: int = 0) -> event_pb2.Event:
    event = Event()
    event.run_finished.state = state  # type: ignore[assignment]
    event.run_finished.end_time_millis = end
    return event


def updated(state: int, end: int = 0) -> event_pb2.Event:
    event = Event()
    event.run_updated.state = state  # type: ignore[assignment]
    event.run_updated.end_time_millis = end
    return event


def params(*keys: str, text: str = "x") -> event_pb2.Event:
    return Event(params_logged=event_pb2.ParamsLogged(params=[event_pb2.Param(key=key, text=text) for key in keys]))


TEXT_FILES = ".datasets_logged.datasets[0].text_files"


def datasets(*names: str, **said: Any) -> event_pb2.Event:
    found = [event_pb2.Dataset(name=name, **said) for name in names]
    return Event(datasets_logged=event_pb2.DatasetsLogged(datasets=found))


@pytest.mark.parametrize(
    ("event", "points"),
    [
        (metrics([1], [math.nan]), 1),
        (metrics([1, 1, 1], [math.inf, -math.inf, -0.0]), 3),
        (metrics([5, -3, 0], [1.0, 2.0, 3.0]), 3),
        (metrics([MAX]), 1),
        (metrics([MIN]), 1),
        (metrics([MAX, -MAX, MIN]), 3),
        (metrics([1, 1], times=[LATEST, -LATEST]), 2),
        (metrics([1, 1], keys=["a", "b", "c"]), 6),
        (Event(ignorable=True), 0),
        (started(), 0),
        (started(name="", user="", start_time_millis=LATEST, parent_run_id=bytes(16), tags={"a": ""}), 0),
        (Event(run_updated=event_pb2.RunUpdated()), 0),
        (Event(run_deleted=event_pb2.RunDeleted()), 0),
        (Event(run_restored=event_pb2.RunRestored()), 0),
        (finished(event_pb2.RUN_STATE_KILLED, LATEST), 0),
        (Event(loss_reported=event_pb2.LossReported(points=1 << 63)), 0),
        (Event(loss_reported=event_pb2.LossReported(points=1, reason="X" * 64)), 0),
        (artifact(), 0),
        (artifact(content=b"abc"), 0),
        (artifact(size=limits.ARTIFACT_BYTES), 0),
        (artifact(size=0, sha256=hashlib.sha256().digest()), 0),
        (Event(params_logged=event_pb2.ParamsLogged(params=[event_pb2.Param(key="a", real=math.nan)])), 0),
        (params(*(f"k{n}" for n in range(limits.PARAMS_PER_EVENT))), 0),
        (datasets("x" * 500, digest="y" * 200, context="z" * 250, schema="é" * 32_768, profile="a\nb"), 0),
        (datasets(*map(str, range(1_000))), 0),
    ],
)
def test_events_are_taken(event: event_pb2.Event, points: int) -> None:
    assert check_event(event, FIELD) == points


@pytest.mark.parametrize(
    ("event", "reason", "field", "told"),
    [
        (Event(), "UNKNOWN_PAYLOAD", "", "upgrade the server"),
        (Event(event_refused=event_pb2.EventRefused()), "PAYLOAD_NOT_ALLOWED", ".event_refused", "only gateways"),
        (Event(run_branched=event_pb2.RunBranched()), "PAYLOAD_NOT_ALLOWED", ".run_branched", "only gateways"),
        (Event(series_inherited=event_pb2.SeriesInherited()), "PAYLOAD_NOT_ALLOWED", ".series_inherited", "gateways"),
        (Event(observe_time_millis=-1), "TIME_OUT_OF_RANGE", ".observe_time_millis", "-1 is not 0 … 9000000000000"),
        (Event(observe_time_millis=10**18), "TIME_OUT_OF_RANGE", ".observe_time_millis", f"{10**18} is not"),
        (metrics([]), "METRICS_EMPTY", ".metrics_logged", "at least one"),
        (metrics([1], keys=[]), "METRICS_EMPTY", ".metrics_logged", "at least one"),
        (metrics([1, 1], [1.0]), "COLUMN_LENGTH", ".metrics_logged.columns[0].values", "1 values of 'loss' for 2 rows"),
        (metrics([1, 1], times=[1]), "COLUMN_LENGTH", ".metrics_logged.time_deltas_millis", "1 times for 2 rows"),
        (metrics([1], keys=["a", "a//b"]), "KEY_INVALID", ".metrics_logged.columns[1].key", "'a//b'"),
        (metrics([1], keys=[""]), "KEY_EMPTY", ".metrics_logged.columns[0].key", "1 to 250"),
        (metrics([1], keys=["x" * 251]), "KEY_TOO_LONG", ".metrics_logged.columns[0].key", "at most 250"),
        (metrics([1], keys=["a", "b", "a"]), "KEY_REPEATED", ".metrics_logged.columns[2].key", "'a' stands twice"),
        (metrics([MAX, 1]), "STEP_OUT_OF_RANGE", ".metrics_logged.step_deltas", f"{1 << 63} is not -2^63 … 2^63-1"),
        (metrics([MIN, -1]), "STEP_OUT_OF_RANGE", ".metrics_logged.step_deltas", f"{MIN - 1} is not"),
        (metrics([1], times=[-1]), "TIME_OUT_OF_RANGE", ".metrics_logged.time_deltas_millis", "-1 is not 0"),
        (metrics([1, 1], times=[LATEST, 1]), "TIME_OUT_OF_RANGE", ".metrics_logged.time_deltas_millis", "00001 is not"),
        (started(name="x" * 501), "NAME_TOO_LONG", ".run_started.name", "501 characters, at most 500"),
        (started(user="x" * 201), "NAME_TOO_LONG", ".run_started.user", "201 characters, at most 200"),
        (started(start_time_millis=-5), "TIME_OUT_OF_RANGE", ".run_started.start_time_millis", "-5 is not"),
        (started(parent_run_id=b"abc"), "INVALID_ID", ".run_started.parent_run_id", "3 bytes; send the 16"),
        (started(tags={"../x": "v"}), "KEY_INVALID", ".run_started.tags", "'../x'"),
        (started(tags={"k": "x" * 20_000}), "TEXT_TOO_LONG", ".run_started.tags['k']", "16,384 bytes"),
        (started(tags=TAGS_OVER), "OVER_LIMIT", ".run_started.tags", "2,001, at most 2,000"),
        (started(params=[event_pb2.Param(key="k")]), "PARAM_WITHOUT_VALUE", ".run_started.params[0]", "has no value"),
        (started(params=[event_pb2.Param(key="k", whole=1)] * 2_001), "OVER_LIMIT", ".run_started.params", "2,0"),
        (Event(run_updated=event_pb2.RunUpdated(name="a\nb")), "NAME_INVALID", ".run_updated.name", r"'a\nb'"),
        (updated(77), "STATE_INVALID", ".run_updated.state", "77 is no state; send RUNNING, SCHEDULED"),
        (updated(2, LATEST + 1), "TIME_OUT_OF_RANGE", ".run_updated.end_time_millis", f"{LATEST + 1} is not"),
        (finished(0), "STATE_INVALID", ".run_finished.state", "UNSPECIFIED ends no run"),
        (finished(event_pb2.RUN_STATE_RUNNING), "STATE_INVALID", ".run_finished.state", "RUNNING ends no run"),
        (finished(77), "STATE_INVALID", ".run_finished.state", "77 ends no run"),
        (finished(2, LATEST + 1), "TIME_OUT_OF_RANGE", ".run_finished.end_time_millis", f"{LATEST + 1} is not"),
        (params(), "EVENT_EMPTY", ".params_logged.params", "at least one"),
        (params(*map(str, range(2_001))), "OVER_LIMIT", ".params_logged.params", "2,001, at most 2,000; send several"),
        (params("a", ".."), "KEY_INVALID", ".params_logged.params[1].key", "'..'"),
        (params("a", text="é" * 8_193), "TEXT_TOO_LONG", ".params_logged.params[0].text", "16,384 bytes"),
        (Event(tags_set=event_pb2.TagsSet()), "EVENT_EMPTY", ".tags_set.tags", "at least one"),
        (Event(tags_set=event_pb2.TagsSet(tags={"": "x"})), "KEY_EMPTY", ".tags_set.tags", "1 to 250"),
        (Event(tags_set=event_pb2.TagsSet(tags=TAGS_OVER)), "OVER_LIMIT", ".tags_set.tags", "2"),
        (Event(tags_deleted=event_pb2.TagsDeleted()), "EVENT_EMPTY", ".tags_deleted.keys", "at least one"),
        (Event(tags_deleted=event_pb2.TagsDeleted(keys=["a", "a//"])), "KEY_INVALID", ".tags_deleted.keys[1]", "'a//'"),
        (Event(tags_deleted=event_pb2.TagsDeleted(keys=["a"] * 2_001)), "OVER_LIMIT", ".tags_deleted.keys", "2,001"),
        (datasets(), "EVENT_EMPTY", ".datasets_logged.datasets", "at least one"),
        (datasets("a", " "), "NAME_EMPTY", ".datasets_logged.datasets[1].name", "what the data is called"),
        (datasets("x" * 501), "NAME_TOO_LONG", ".datasets_logged.datasets[0].name", "501 characters, at most 500"),
        (datasets("a\x1fb"), "NAME_INVALID", ".datasets_logged.datasets[0].name", "control character"),
        (datasets("a", digest="x" * 201), "NAME_TOO_LONG", ".datasets_logged.datasets[0].digest", "at most 200"),
        (datasets("a", context="x\n"), "NAME_INVALID", ".datasets_logged.datasets[0].context", "control"),
        (datasets("a", source="é" * 32_769), "TEXT_TOO_LONG", ".datasets_logged.datasets[0].source", "65,536 bytes"),
        (datasets("a", text_files={"name": "x"}), "TEXT_FILE_INVALID", TEXT_FILES, "'name' is not source"),
        (datasets("a", source="x", text_files={"source": "x"}), "TEXT_FILE_INVALID", TEXT_FILES, "say each text once"),
        (datasets("a", text_files={"schema": "../x"}), "ARTIFACT_PATH_INVALID", f"{TEXT_FILES}[schema]", "../x"),
        (datasets("a", tags={"": "x"}), "KEY_EMPTY", ".datasets_logged.datasets[0].tags", "a key is empty"),
        (datasets("a", tags={"x" * 256: ""}), "NAME_TOO_LONG", ".datasets_logged.datasets[0].tags", "at most 255"),
        (datasets("a", tags={"k": "x" * 20_000}), "TEXT_TOO_LONG", ".datasets_logged.datasets[0].tags['k']", "16,384"),
        (datasets("a", tags=TAGS_OVER), "OVER_LIMIT", ".datasets_logged.datasets[0].tags", "2,001, at most 100"),
        (datasets(*["a"] * 1_001), "OVER_LIMIT", ".datasets_logged.datasets", "1,001, at most 1,000"),
        (artifact("../x"), "ARTIFACT_PATH_INVALID", ".artifact_logged.path", "'../x'"),
        (artifact("%252e%252e%252fx"), "ARTIFACT_PATH_INVALID", ".artifact_logged.path", "%252e"),
        (artifact(size=-1), "SIZE_INVALID", ".artifact_logged.size_bytes", "-1 is not 0 to 5,497,558,138,880"),
        (artifact(size=limits.ARTIFACT_BYTES + 1), "SIZE_INVALID", ".artifact_logged.size_bytes", "5,497,558,138,881"),
        (artifact(sha256=b""), "DIGEST_INVALID", ".artifact_logged.sha256", "0 bytes; send the 32"),
        (artifact(sha256=SHA.hex().encode()), "DIGEST_INVALID", ".artifact_logged.sha256", "64 bytes"),
        (artifact(content=b"ab"), "SIZE_MISMATCH", ".artifact_logged.size_bytes", "3, and the content has 2 bytes"),
        (artifact(content=b"abd"), "DIGEST_MISMATCH", ".artifact_logged.sha256", "read the file again"),
        (artifact(content=bytes((1 << 20) + 1)), "OVER_LIMIT", ".artifact_logged.content", "at most 1,048,576; upload"),
    ],
)  # fmt: skip
def test_events_are_refused(event: event_pb2.Event, reason: str, field: str, told: str) -> None:
    refused(lambda: check_event(event, FIELD), reason, FIELD + field, told)


def test_an_event_has_a_bounded_number_of_points_and_columns() -> None:
    rows = limits.POINTS_PER_EVENT // 4
    assert check_event(metrics([1] * rows, keys="abcd"), FIELD) == limits.POINTS_PER_EVENT
    over = metrics([1] * (rows + 1), keys="abcd")
    refused(
        lambda: check_event(over, FIELD),
        "OVER_LIMIT", f"{FIELD}.metrics_logged.step_deltas", "1,000,004, at most 1,000,000", "several events",
    )  # fmt: skip
    wide = metrics([1], keys=[str(n) for n in range(limits.COLUMNS_PER_EVENT + 1)])
    refused(lambda: check_event(wide, FIELD), "OVER_LIMIT", f"{FIELD}.metrics_logged.columns", "10,001, at most 10,000")


@pytest.mark.parametrize(
    "make",
    [
        lambda value: metrics([1], keys=[value]),
        lambda value: started(name=value),
        lambda value: started(tags={"k/" + value: "v"}),
        lambda value: params(value),
        lambda value: artifact(value),
    ],
)
def test_a_value_is_shown_short_and_escaped(make: Callable[[str], event_pb2.Event]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_event(make("\x1b[31m\n<b>\u202e" + "x" * 10_240), FIELD)
    assert r"\x1b[31m\n<b>\u202e" in caught.value.message
    assert "…" in caught.value.message
    assert len(caught.value.message) < 300
    assert caught.value.message.isprintable()


@given(st.lists(st.integers(MIN, MAX), min_size=1, max_size=20))
def test_the_extent_is_that_of_the_running_sums(deltas: list[int]) -> None:
    sums = [sum(deltas[: n + 1]) for n in range(len(deltas))]
    assert extent(deltas) == (min(sums), max(sums))


@given(st.lists(st.integers(MIN, MAX), min_size=1, max_size=4), st.lists(st.integers(MIN, MAX), max_size=4))
def test_points_that_are_taken_lie_within_the_ranges(steps: list[int], times: list[int]) -> None:
    event = metrics(steps, times=times)
    if reason := reason_of(lambda: check_event(event, FIELD)):
        assert reason in ("STEP_OUT_OF_RANGE", "TIME_OUT_OF_RANGE", "COLUMN_LENGTH")
        return
    assert check_event(event, FIELD) == len(steps)
    assert all(MIN <= sum(steps[: n + 1]) <= MAX for n in range(len(steps)))
    assert all(0 <= sum(times[: n + 1]) <= LATEST for n in range(len(times)))


@given(st.binary(max_size=60), st.sampled_from(list(Event.DESCRIPTOR.oneofs_by_name["payload"].fields)))
def test_whatever_decodes_is_taken_or_refused(data: bytes, payload: object) -> None:
    event = Event()
    try:
        getattr(event, payload.name).MergeFromString(data)  # type: ignore[attr-defined]
        getattr(event, payload.name).SetInParent()  # type: ignore[attr-defined]
    except DecodeError:
        return
    reason = reason_of(lambda: check_event(event, FIELD))
    assert reason is None or re.fullmatch("[A-Z_]+", reason)


@pytest.mark.parametrize("reason", ["X" * 65, "x" * 10_000, "lost", "A B", "\x1b[2J", "A\n", "_A", "9"])
def test_a_loss_is_told_under_a_short_reason(reason: str) -> None:
    event = Event(loss_reported=event_pb2.LossReported(points=1, reason=reason))
    refused(lambda: check_event(event, "event"), "REASON_INVALID", "event.loss_reported.reason", "send OTHER")
