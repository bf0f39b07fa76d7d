"""Logged models: their events as rows, and what a run says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from fleetlog_core.limits import RunLimits
from fleetlog_core.run_models import input_key, output_key
from fleetlog_core.warehouse.port import Coded
from fleetlog_core.warehouse.schema import KeyKind
from fleetlog_ingest.materializer.fold.logged_models import Model
from fleetlog_ingest.materializer.fold.result import Folded
from fleetlog_ingest.materializer.fold.state import State
from fleetlog_proto.v1 import event_pb2, frame_pb2, logged_model_event_pb2

from tests.ingest.materializer.builders import NOW, RUN, folded, frame, metrics, record

MODEL = bytes(range(48, 64))
READY = logged_model_event_pb2.LOGGED_MODEL_STATUS_READY


def created(sequence: int, **texts: str) -> event_pb2.Event:
    event = event_pb2.Event(sequence=sequence, observe_time_millis=NOW + sequence)
    event.logged_model_created.name = "gpt2"
    event.logged_model_created.experiment_id = 7
    event.logged_model_created.source_run_id = RUN
    event.logged_model_created.params.update(texts)
    return event


def updated(sequence: int, **texts: str) -> event_pb2.Event:
    event = event_pb2.Event(sequence=sequence, observe_time_millis=NOW + sequence)
    event.logged_model_updated.status = READY
    event.logged_model_updated.params.update(texts)
    event.logged_model_updated.tags.update(texts)
    return event


def of_model(*events: event_pb2.Event) -> frame_pb2.Frame:
    found = frame(*events, run=MODEL)
    found.subject = frame_pb2.SUBJECT_MODEL
    return found


def model(out: Folded) -> Model:
    return out.changes.models[("default", MODEL)]


def test_a_model_is_made_and_becomes_ready() -> None:
    out = folded(State(), record(of_model(created(1), updated(2)), 3))
    assert model(out) == Model(
        7, "gpt2", RUN, "", int(READY), "", NOW + 1, NOW + 2, made=True, ver=3
    )  # fmt: skip
    assert not out.dead
    assert not out.changes.runs
    assert "run_touches" not in out.tables


def test_of_a_param_the_first_write_stays_and_of_a_tag_the_last() -> None:
    first, second = of_model(created(1, lr="1"), updated(2, lr="2")), of_model(updated(3, lr="3"))
    out = folded(State(), record(first, 3), record(second, 4))
    rows = out.tables["model_attrs"]
    found: dict[tuple[int, str], tuple[int, str]] = {}
    names = ("kind", "key", "str", "ver")
    for kind, key, text, ver in zip(*(_values(rows[name]) for name in names), strict=True):
        found[kind, key] = max(found.get((kind, key), (0, "")), (ver, text))
    assert (found[1, "lr"][1], found[2, "lr"][1]) == ("1", "3")


def _values(column: Any) -> list[Any]:
    if isinstance(column, Coded):
        return [column.texts[code] for code in column.codes]
    return list(column.tolist() if isinstance(column, np.ndarray) else column)


def test_a_second_model_of_the_same_id_is_told_of_and_changes_nothing() -> None:
    before = folded(State(), record(of_model(created(1)), 3)).changes
    other = created(2)
    other.logged_model_created.name = "another"
    out = folded(State().after(before), record(of_model(other), 4))
    assert not out.changes.models
    assert _values(out.tables["problems"]["reason"]) == ["LOGGED_MODEL_EXISTS"]


def test_a_change_before_its_model_waits_for_it() -> None:
    out = folded(State(), record(of_model(updated(2), created(3)), 3))
    assert (model(out).name, model(out).status, model(out).made) == ("gpt2", READY, True)


def test_a_model_is_deleted_restored_and_purged() -> None:
    gone, back, purged = (event_pb2.Event(sequence=sequence) for sequence in (2, 3, 4))
    gone.logged_model_deleted.SetInParent()
    back.logged_model_restored.SetInParent()
    purged.logged_model_purged.SetInParent()
    assert model(folded(State(), record(of_model(created(1), gone), 3))).deleted
    assert not model(folded(State(), record(of_model(created(1), gone, back), 3))).deleted
    assert model(folded(State(), record(of_model(created(1), purged), 3))).purged


def test_events_of_a_run_are_not_those_of_a_model_nor_the_other_way_round() -> None:
    tags = event_pb2.Event(sequence=1)
    tags.tags_set.tags["a"] = "b"
    for wrong in (of_model(tags), of_model(metrics(1, loss=[(1, 1.0)])), frame(created(1))):
        out = folded(State(), record(wrong, 3))
        assert [letter.reason for letter in out.dead] == ["WRONG_SUBJECT"]
        assert not out.changes.models
        assert not out.changes.runs


def test_points_that_name_a_model_are_of_the_run_and_of_the_model() -> None:
    points = metrics(1, acc=[(1, 0.5), (2, 0.75)], loss=[(1, 2.0), (2, 1.0)])
    points.metrics_logged.model_id = MODEL
    points.metrics_logged.dataset_name = "hellaswag"
    out = folded(State(), record(frame(points), 3))
    rows = out.tables["model_metrics"]
    assert _values(rows["key"]) == ["acc", "acc", "loss", "loss"]
    assert _values(rows["value"]) == [0.5, 0.75, 2.0, 1.0]
    assert _values(rows["step"]) == [1, 2, 1, 2]
    assert set(_values(rows["dataset_name"])) == {"hellaswag"}
    assert len(set(_values(rows["ver"]))) == 4
    assert len(_values(out.tables["points"]["value"])) == 4


def test_a_model_that_a_run_made_is_linked_once_and_no_run_has_too_many() -> None:
    events = []
    for sequence, step in ((1, 5), (2, 6)):
        event = event_pb2.Event(sequence=sequence)
        event.models_linked.outputs.add(model_id=MODEL, step=step)
        event.models_linked.input_model_ids.append(RUN)
        events.append(event)
    more = event_pb2.Event(sequence=3)
    more.models_linked.input_model_ids.append(MODEL)
    out = folded(State(), record(frame(*events, more), 3), limits=RunLimits(models=2))
    rows = out.tables["attrs"]
    assert _values(rows["kind"]) == [KeyKind.MODEL, KeyKind.MODEL]
    assert dict(zip(_values(rows["key"]), _values(rows["str"]), strict=True)) == {
        input_key(RUN): "", output_key(MODEL): "5"
    }  # fmt: skip
    assert _values(out.tables["problems"]["reason"]) == ["MODEL_LINK_CONFLICT", "TOO_MANY_MODELS"]
