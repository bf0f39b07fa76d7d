"""Names in worlds: what is said of them once more is what the product decides, and the oracle sees what differs."""

from __future__ import annotations

from random import Random

import numpy as np
from fleetlog_core.log.port import CONTROL, Partition, Record
from fleetlog_core.registry.snapshot import Snapshot
from fleetlog_core.registry.states import to_text
from fleetlog_core.warehouse.port import Answer, Coded, Column, Statement
from fleetlog_ingest.materializer.control.control import ControlState, fold_control
from fleetlog_ingest.materializer.fold.decoding import decode
from fleetlog_proto.v1 import frame_pb2, registered_model_pb2, registry_event_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.history import History
from simulation.names_model import NamesModel
from simulation.names_oracle import NamesOracle
from simulation.statements import answer
from simulation.tables import Row, Tables, rows_of
from tests.profiles import examples

PARTITION = Partition(CONTROL, 0)
Control = frame_pb2.ControlRecord
_NAMES = ("one", "two", "three")


def _intent(random: Random) -> Control:
    """Any intent that worlds have, on few names and numbers."""
    name, other, number = random.choice(_NAMES), random.choice(_NAMES), random.randint(0, 3)
    flag = random.random() < 0.5
    stage = random.choice((registry_event_pb2.MODEL_STAGE_STAGING, registry_event_pb2.MODEL_STAGE_PRODUCTION))
    return random.choice(
        (
            Control(experiment_created=frame_pb2.ExperimentCreated(name=name, exist_ok=flag)),
            Control(experiment_updated=frame_pb2.ExperimentUpdated(experiment_id=number, name=name)),
            Control(experiment_deleted=frame_pb2.ExperimentDeleted(experiment_id=number)),
            Control(experiment_restored=frame_pb2.ExperimentRestored(experiment_id=number)),
            Control(registered_model_created=registry_event_pb2.RegisteredModelCreated(name=name, exist_ok=flag)),
            Control(registered_model_updated=registry_event_pb2.RegisteredModelUpdated(name=name, new_name=other)),
            Control(registered_model_deleted=registry_event_pb2.RegisteredModelDeleted(name=name)),
            Control(
                model_version_created=registry_event_pb2.ModelVersionCreated(
                    name=name, create_model=flag, aliases=["best"] * flag
                )
            ),
            Control(
                model_version_transitioned=registry_event_pb2.ModelVersionTransitioned(
                    name=name, version=number, stage=stage, archive_existing=flag
                )
            ),
            Control(model_version_deleted=registry_event_pb2.ModelVersionDeleted(name=name, version=number)),
            Control(model_alias_set=registry_event_pb2.ModelAliasSet(name=name, alias="best", version=number)),
        )
    )


def _records(random: Random, count: int) -> list[Record]:
    """Records of the control partition, some of which are requests that came before."""
    records: list[Record] = []
    for offset in range(count):
        if records and random.random() < 0.2:
            value = random.choice(records).value
        else:
            control = _intent(random)
            control.namespace, control.request_id = "default", random.randbytes(16)
            value = control.SerializeToString()
        records.append(Record(PARTITION, offset, b"default", value, 0))
    return records


def _oracle() -> tuple[NamesOracle, list[str]]:
    broken: list[str] = []
    return NamesOracle(lambda holds, what: None if holds else broken.append(what)), broken


def _folded(records: list[Record]) -> dict[str, list[Row]]:
    folded = fold_control([decode(record) for record in records], ControlState())
    return {table: rows_of(columns) for table, columns in folded.tables.items()}


@given(seed=st.integers(0, 1 << 32), count=st.integers(1, 40))
@settings(max_examples=examples(100))
def test_the_product_decides_what_the_oracle_expects(seed: int, count: int) -> None:
    records = _records(Random(seed), count)
    oracle, broken = _oracle()
    for record in records:
        oracle.logged(record)
    for table, rows in _folded(records).items():
        oracle.inserted(table, rows)
    oracle.reached(count)
    assert broken == []


def _two_versions() -> tuple[NamesOracle, list[str], dict[str, list[Row]]]:
    records = []
    for offset in range(2):
        control = Control(
            namespace="default",
            request_id=bytes([offset]) * 16,
            model_version_created=registry_event_pb2.ModelVersionCreated(name="one", create_model=True),
        )
        records.append(Record(PARTITION, offset, b"default", control.SerializeToString(), 0))
    oracle, broken = _oracle()
    for record in records:
        oracle.logged(record)
    return oracle, broken, _folded(records)


def test_a_number_that_two_versions_have_is_told() -> None:
    oracle, broken, tables = _two_versions()
    rows = tables["registry_history"]
    oracle.inserted("registry_history", [row | {"version": 1} for row in rows])
    assert broken == ["version 1 of model 0 is the number of two versions (9)"]


def test_a_request_that_is_decided_twice_or_otherwise_is_told() -> None:
    oracle, broken, tables = _two_versions()
    oracle.inserted("outcomes", tables["outcomes"])
    assert broken == []
    oracle.inserted("outcomes", tables["outcomes"][:1])
    oracle.inserted("outcomes", [tables["outcomes"][1] | {"result": "0/7"}])
    assert "request 00000000 is decided twice (8)" in broken
    assert any("has the outcome (1, True, '', '0/7')" in what for what in broken)


def test_what_is_applied_and_lacks_a_row_is_told() -> None:
    oracle, broken, tables = _two_versions()
    oracle.inserted("outcomes", tables["outcomes"])
    oracle.inserted("registered_models", tables["registered_models"])
    oracle.inserted("model_versions", tables["model_versions"][:1])
    oracle.reached(2)
    assert broken == ["request 01010101 is applied, and ('model_versions', 0, 2) is () and not (1,) (8)"]


def test_an_answer_before_its_outcome_is_told() -> None:
    oracle, broken, _ = _two_versions()
    model = registered_model_pb2.RegisteredModel(model_id=0, name="one", last_version=1)
    oracle.refused(bytes(16), "MODEL_NOT_FOUND")
    assert len(broken) == 2
    oracle.answered(b"?" * 16, registered_model_pb2.CreateRegisteredModelResponse(model=model))
    assert broken[2] == f"request {b'?'.hex() * 4} is answered, and not in the log (8)"


def test_a_number_of_a_deleted_version_stays_its_own() -> None:
    model, made = NamesModel(), registry_event_pb2.ModelVersionCreated(name="one", create_model=True)
    gone = registry_event_pb2.ModelVersionDeleted(name="one", version=1)
    intents = (
        Control(model_version_created=made),
        Control(model_version_deleted=gone),
        Control(model_version_created=made),
    )
    assert [model.decide(control, offset).result for offset, control in enumerate(intents)] == ["0/1", "0/1", "0/2"]


def test_a_model_is_read_as_it_was_before_a_batch_that_broke_off() -> None:
    tables = Tables(History())
    names: dict[str, Column] = {
        "namespace": Coded(np.array([0], np.uint32), ["default"]),
        "model_id": np.array([3], np.uint64),
    }
    for ver, description in ((3, "before"), (5, "behind")):
        state = to_text(registered_model_pb2.RegisteredModel(model_id=3, name="one", description=description))
        told = names | {"ver": np.array([ver], np.uint64), "state": [state]}
        history = told | {
            "place": np.array([0], np.uint32), "kind": np.array([1], np.uint8), "number": np.array([0], np.uint64),
        }  # fmt: skip
        tables.insert("registry_history", history, str(ver))
        tables.insert("registered_models", told, str(ver))

    def select(statement: Statement) -> Answer:
        return answer(tables, statement)

    assert Snapshot(select, "default").named(["one"])["one"].description == "behind"
    assert Snapshot(select, "default", 4).named(["one"])["one"].description == "before"
    assert Snapshot(select, "default", 3).named(["one"]) == {}
