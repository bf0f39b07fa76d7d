"""What stands in a record, in one line."""

from __future__ import annotations

import json

from fleetlog_ingest.materializer.control.record_details import details_of, text_of
from fleetlog_proto.v1 import event_pb2
from fleetlog_query.audit.words import summary_of

from tests.ingest.materializer.builders import metrics, params, start


def of(*events: event_pb2.Event) -> str:
    return summary_of(text_of(details_of(events)))


def test_metrics_are_counted_and_their_steps_told() -> None:
    assert of(metrics(1, loss=[(7, 0.5)])) == "1 point of loss, step 7"
    assert of(metrics(1, loss=[(1, 0.5), (9, 0.1)], acc=[(1, 0.5), (9, 0.1)])) == (
        "4 points of 2 metrics: loss, acc, steps 1 to 9"
    )


def test_params_tags_and_files_are_named() -> None:
    assert of(start(name="first"), params(2, lr="1", seed="2")) == "run started: first; 2 params: lr, seed"
    many = params(1, **{f"k{number}": "v" for number in range(9)})
    assert of(many) == "9 params: k0, k1, k2, k3, k4 and 4 more"
    stored = event_pb2.Event(sequence=1)
    stored.artifact_logged.path, stored.artifact_logged.size_bytes = "model.bin", 2_048
    assert of(stored) == "1 file: model.bin, 2,048 bytes"


def test_hidden_characters_of_names_are_escaped() -> None:
    line = of(start(name="a\x1b[31m\nb‮c"))
    assert line == r"run started: a\x1b[31m\nb\u202ec"


def test_a_kind_of_a_later_version_is_told_by_its_name() -> None:
    assert summary_of(json.dumps({"run_frozen": {"events": 3, "fields": {"until": 5}}})) == (
        "run frozen (3 times), until 5"
    )
    assert summary_of("") == ""


def test_a_writer_that_only_says_something_of_a_run_does_not_start_it() -> None:
    def opened(opening: event_pb2.RunOpening.ValueType, *others: event_pb2.Event) -> str:
        event = start(name="")
        event.run_started.opening = opening
        return of(event, *others)

    assert opened(event_pb2.RUN_OPENING_JOIN, params(2, lr="1")) == "1 param: lr"
    assert opened(event_pb2.RUN_OPENING_ANNOTATE, params(2, lr="1")) == "1 param: lr"
    assert opened(event_pb2.RUN_OPENING_JOIN) == "one more writer"
    assert opened(event_pb2.RUN_OPENING_RESUME, params(2, lr="1")) == "run resumed; 1 param: lr"
