"""Events of logged models, and what a run says of them: what is refused, and in whose frames they stand."""

from __future__ import annotations

from typing import Any

import pytest
from fleetlog_core import limits
from fleetlog_core.rules.events import check_event
from fleetlog_core.rules.frames import check_frame
from fleetlog_proto.v1 import event_pb2, frame_pb2, logged_model_event_pb2

from tests.core.rules.refusals import refused

MODEL = bytes(range(16))
Event = event_pb2.Event
of = logged_model_event_pb2


def linked(inputs: list[bytes], outputs: list[bytes]) -> event_pb2.Event:
    found = of.ModelsLinked(input_model_ids=inputs, outputs=[of.ModelOutput(model_id=one) for one in outputs])
    return Event(models_linked=found)


def measured(**fields: Any) -> event_pb2.Event:
    column = event_pb2.MetricColumn(key="loss", values=[1.0])
    return Event(metrics_logged=event_pb2.MetricsLogged(step_deltas=[1], columns=[column], **fields))


@pytest.mark.parametrize(
    "event",
    [linked([MODEL], [MODEL]), measured(model_id=MODEL, dataset_name="a", dataset_digest="b"), measured()]
    + [Event(artifacts_deleted=event_pb2.ArtifactsDeleted(path=path)) for path in ("", "a/b")],
)  # fmt: skip
def test_what_a_run_can_say_of_a_model_is_taken(event: event_pb2.Event) -> None:
    check_event(event, "event")


@pytest.mark.parametrize(
    ("event", "reason", "field", "told"),
    [
        (linked([], []), "EVENT_EMPTY", "models_linked", "send at least one"),
        (linked([b"x"], []), "INVALID_ID", "models_linked.input_model_ids[0]", "1 bytes"),
        (linked([MODEL], [b""]), "INVALID_ID", "models_linked.outputs[0].model_id", "0 bytes"),
        (linked([MODEL] * (limits.MODELS_PER_RUN + 1), []), "OVER_LIMIT", "models_linked", "at most 1,000"),
        (measured(model_id=b"x"), "INVALID_ID", "metrics_logged.model_id", "1 bytes"),
        (measured(dataset_name="x" * 501), "NAME_TOO_LONG", "metrics_logged.dataset_name", "at most 500"),
        (measured(dataset_digest="a\nb"), "NAME_INVALID", "metrics_logged.dataset_digest", "control character"),
        (
            Event(artifacts_deleted=event_pb2.ArtifactsDeleted(path="../x")),
            "ARTIFACT_PATH_INVALID", "artifacts_deleted.path", "'..'",
        ),
        (Event(run_purged=event_pb2.RunPurged()), "PAYLOAD_NOT_ALLOWED", "run_purged", "only gateways"),
    ],
)  # fmt: skip
def test_what_no_run_can_say_of_a_model_is_refused(event: event_pb2.Event, reason: str, field: str, told: str) -> None:
    refused(lambda: check_event(event, "event"), reason, f"event.{field}", told)


@pytest.mark.parametrize("message", ["x" * (limits.MODEL_STATUS_CHARACTERS + 1)])
def test_the_message_of_a_status_has_a_limit(message: str) -> None:
    event = Event(logged_model_updated=of.LoggedModelUpdated(status_message=message))
    call = lambda: check_event(event, "event", subject=frame_pb2.SUBJECT_MODEL)  # noqa: E731
    refused(call, "TEXT_TOO_LONG", "event.logged_model_updated.status_message", "at most 4,096")


def test_an_event_stands_in_frames_of_its_subject_alone() -> None:
    made = Event(logged_model_created=of.LoggedModelCreated(name="gpt2"))
    tags = Event(tags_set=event_pb2.TagsSet(tags={"a": "b"}))
    loss = Event(loss_reported=event_pb2.LossReported(points=1))
    for event, of_run, of_model in ((made, False, True), (tags, True, False), (loss, True, True)):
        for subject, is_right in (
            (frame_pb2.SUBJECT_UNSPECIFIED, of_run), (frame_pb2.SUBJECT_RUN, of_run),
            (frame_pb2.SUBJECT_MODEL, of_model),
        ):  # fmt: skip
            kind = str(event.WhichOneof("payload"))
            if is_right:
                check_event(event, "event", subject=subject)
            else:
                call = lambda event=event, subject=subject: check_event(event, "event", subject=subject)  # noqa: E731
                refused(call, "WRONG_SUBJECT", f"event.{kind}", "leave it out")


def test_a_frame_of_a_model_needs_no_opening_and_a_subject_that_is_known() -> None:
    frame = frame_pb2.Frame(run_id=MODEL, writer_id=MODEL, subject=frame_pb2.SUBJECT_MODEL)
    frame.events.add(sequence=1).logged_model_deleted.SetInParent()
    check_frame(frame)
    frame.subject = frame_pb2.Subject.ValueType(9)
    refused(lambda: check_frame(frame), "SUBJECT_INVALID", "frame.subject", "upgrade")
