"""State before a batch of the control partition: what is read, and what is known from the batches before."""

from __future__ import annotations

from fleetlog_core.registry.states import Kind
from fleetlog_core.warehouse.port import Answer, Statement
from fleetlog_ingest.materializer.control.control import ControlFolded, fold_control
from fleetlog_ingest.materializer.control.registry_decision import Model
from fleetlog_ingest.materializer.state.control_loading import ControlStore
from fleetlog_ingest.materializer.state.registry_memory import RegistryMemory

from tests.ingest.materializer import registry_intents as intents
from tests.ingest.materializer.builders import control
from tests.warehouses import Untouched


class Empty(Untouched):
    """Has no rows, and keeps what is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        self.asked.append(statement.sql)
        return Answer({}, 0, 0, 0)


def decide(store: ControlStore, offset: int, intent: intents.Intent) -> ControlFolded:
    records = [control(offset, offset, intent)]
    folded = fold_control(records, store.load(records, offset))
    store.keep(folded)
    return folded


def test_a_version_of_a_model_that_was_made_lately_is_decided_without_a_read() -> None:
    warehouse = Empty()
    store = ControlStore(warehouse)
    decide(store, 0, intents.version("m", "champion", create_model=True))
    asked = list(warehouse.asked)
    made = decide(store, 1, intents.version("m", "champion"))
    moved = decide(store, 2, intents.alias("m", "champion", 1))
    assert warehouse.asked == asked
    assert [one.decisions[0].result for one in (made, moved)] == ["0/2", "0"]
    assert set(made.decisions[0].states) == {(Kind.MODEL, 0), (Kind.VERSION, 2)}


def test_a_stage_that_is_archived_is_read_with_all_its_versions() -> None:
    warehouse = Empty()
    store = ControlStore(warehouse)
    decide(store, 0, intents.version("m", create_model=True))
    asked = len(warehouse.asked)
    decide(store, 1, intents.transition("m", 1, intents.PRODUCTION, archive=True))
    assert len(warehouse.asked) == asked + 1


def test_what_is_forgotten_is_read_anew() -> None:
    warehouse = Empty()
    store = ControlStore(warehouse)
    decide(store, 0, intents.version("m", create_model=True))
    store.forget()
    refused = decide(store, 1, intents.version("m"))
    assert refused.decisions[0].reason == "MODEL_NOT_FOUND"


def test_models_that_were_used_longest_ago_are_let_go_between_batches_alone() -> None:
    first, second = Model(model_id=1, name="a"), Model(model_id=2, name="b")
    memory = RegistryMemory(max_bytes=second.ByteSize())
    registry = memory.registry("ns")
    for model in (first, second):
        registry.put(model)
        memory.note("ns", model)
    assert registry.named("a") is not None
    memory.trim()
    assert registry.named("a") is None
    assert registry.named("b") is not None
