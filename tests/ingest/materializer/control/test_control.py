from __future__ import annotations

from fleetlog_ingest.materializer.control.control import ControlFolded, ControlState, fold_control
from fleetlog_ingest.materializer.fold.decoding import Decoded
from fleetlog_proto.v1 import frame_pb2

from tests.ingest.materializer.builders import control


def create(request: int, offset: int, name: str, *, exist_ok: bool = False) -> Decoded:
    created = frame_pb2.ExperimentCreated(name=name, exist_ok=exist_ok)
    return control(request, offset, frame_pb2.ControlRecord(experiment_created=created))


def delete(request: int, offset: int, number: int) -> Decoded:
    deleted = frame_pb2.ExperimentDeleted(experiment_id=number)
    return control(request, offset, frame_pb2.ControlRecord(experiment_deleted=deleted))


def rename(request: int, offset: int, number: int, name: str) -> Decoded:
    updated = frame_pb2.ExperimentUpdated(experiment_id=number, name=name)
    return control(request, offset, frame_pb2.ControlRecord(experiment_updated=updated))


def outcomes(out: ControlFolded) -> list[tuple[int, int, str]]:
    columns = out.tables["outcomes"]
    reasons = columns["reason"]
    names = [reasons.texts[code] for code in reasons.codes]  # type: ignore[union-attr]
    return list(zip(columns["accepted"].tolist(), columns["experiment"].tolist(), names, strict=True))  # type: ignore[union-attr]


def test_numbers_count_from_one_and_names_are_unique() -> None:
    out = fold_control(
        [create(1, 0, "a"), create(2, 1, "b"), create(3, 2, "a"), create(4, 3, "Default")], ControlState()
    )
    assert outcomes(out) == [(1, 1, ""), (1, 2, ""), (0, 1, "EXPERIMENT_EXISTS"), (0, 0, "EXPERIMENT_EXISTS")]


def test_exist_ok_answers_with_the_experiment_unless_it_is_deleted() -> None:
    records = [create(1, 0, "a"), create(2, 1, "a", exist_ok=True), delete(3, 2, 1), create(4, 3, "a", exist_ok=True)]
    out = fold_control(records, ControlState())
    assert outcomes(out) == [(1, 1, ""), (1, 1, ""), (1, 1, ""), (0, 1, "EXPERIMENT_EXISTS")]
    assert out.changes["default"][1].deleted


def test_the_same_request_has_the_same_outcome() -> None:
    first = fold_control([create(1, 0, "a"), create(1, 1, "a")], ControlState())
    assert outcomes(first) == [(1, 1, "")]
    decided = frozenset({("default", (1).to_bytes(16, "big"))})
    again = fold_control([create(1, 2, "a")], ControlState(first.changes, decided))
    assert not again.tables


def test_what_is_not_there_and_what_can_not_go() -> None:
    out = fold_control(
        [delete(1, 0, 0), delete(2, 1, 9), rename(3, 2, 9, "x"), rename(4, 3, 0, "main")], ControlState()
    )
    assert [reason for _, _, reason in outcomes(out)] == [
        "DEFAULT_EXPERIMENT",
        "EXPERIMENT_NOT_FOUND",
        "EXPERIMENT_NOT_FOUND",
        "",
    ]
    assert out.changes["default"][0].name == "main"


def test_default_goes_when_that_is_asked_for_and_never_for_good() -> None:
    deleted = frame_pb2.ExperimentDeleted(experiment_id=0, default_too=True)
    purged = frame_pb2.ExperimentPurged(experiment_id=0)
    records = [
        control(1, 0, frame_pb2.ControlRecord(experiment_deleted=deleted)),
        control(2, 1, frame_pb2.ControlRecord(experiment_purged=purged)),
    ]
    out = fold_control(records, ControlState())
    assert [reason for _, _, reason in outcomes(out)] == ["", "DEFAULT_EXPERIMENT"]
    assert out.changes["default"][0].deleted
    assert not out.changes["default"][0].purged


def test_a_rename_can_not_take_a_name() -> None:
    out = fold_control(
        [create(1, 0, "a"), create(2, 1, "b"), rename(3, 2, 2, "a"), rename(4, 3, 2, "b")], ControlState()
    )
    assert outcomes(out)[2:] == [(0, 1, "EXPERIMENT_EXISTS"), (1, 2, "")]


def test_an_unknown_intent_is_a_dead_letter() -> None:
    out = fold_control([control(1, 0, frame_pb2.ControlRecord())], ControlState())
    assert [letter.reason for letter in out.dead] == ["UNKNOWN_INTENT"]
