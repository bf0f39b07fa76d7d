"""Intents on documents, decided."""

from __future__ import annotations

from fleetlog_core.documents.snapshot import DocumentState
from fleetlog_ingest.materializer.control.control import ControlState, fold_control
from fleetlog_ingest.materializer.control.document_fold import DocumentFold, Documents

from tests.golden.records import documents
from tests.ingest.materializer.builders import NOW, control
from tests.ingest.materializer.document_intents import one, put
from tests.ingest.materializer.registry_intents import Intent, numbers, texts


def decide(fold: DocumentFold, offset: int, intent: Intent, namespace: str = "team") -> str:
    """The reason, or the result."""
    intent.ingest_time_millis = NOW + offset
    outcome = fold.decide(intent, namespace, offset)
    return outcome.result if outcome.accepted else outcome.reason


def test_every_intent_of_the_golden_records_is_accepted() -> None:
    intents = list(documents().values())
    out = fold_control([control(place + 1, place, one) for place, one in enumerate(intents)], ControlState())
    assert numbers(out.tables["outcomes"]["accepted"]) == [1] * len(intents)
    assert texts(out.tables["outcomes"]["result"]) == ["1/1", "2/2"]
    assert numbers(out.tables["documents"]["deleted"]) == [0, 0, 0, 1]
    assert numbers(out.tables["documents"]["made"]) == [0, 0, 0, 0]


def test_a_document_changes_only_from_the_revision_that_is_expected() -> None:
    fold = DocumentFold({})
    assert decide(fold, 0, put(one("a", expected=1))) == "DOCUMENT_NOT_FOUND"
    assert decide(fold, 1, put(one("a", expected=0))) == "1"
    assert decide(fold, 2, put(one("a", expected=0))) == "DOCUMENT_EXISTS"
    assert decide(fold, 3, put(one("a", expected=2))) == "DOCUMENT_CHANGED"
    assert decide(fold, 4, put(one("a", expected=1))) == "2"
    assert decide(fold, 5, put(one("a"))) == "3"
    assert decide(fold, 6, put(one("a", expected=2, deleted=True))) == "DOCUMENT_CHANGED"
    assert decide(fold, 7, put(one("a", deleted=True))) == "4"
    assert decide(fold, 8, put(one("a", deleted=True))) == "DOCUMENT_NOT_FOUND"
    assert numbers(fold.tables()["documents"]["ver"]) == [1, 4, 5, 7]


def test_a_document_that_is_made_again_is_a_new_one_whose_revisions_go_on() -> None:
    fold = DocumentFold({})
    for offset, intent in enumerate([put(one("a")), put(one("a", deleted=True)), put(one("a", expected=0))]):
        decide(fold, offset, intent)
    rows = fold.tables()["documents"]
    assert numbers(rows["revision"]) == [1, 2, 3]
    assert numbers(rows["made"]) == [0, 0, 2]
    assert numbers(rows["create_time"]) == [NOW, NOW, NOW + 2]


def test_a_key_is_that_of_one_document_of_its_kind() -> None:
    fold = DocumentFold({})
    assert decide(fold, 0, put(one("a", key="k"))) == "1"
    assert decide(fold, 1, put(one("b", key="k"))) == "DOCUMENT_EXISTS"
    assert decide(fold, 2, put(one("b", key="k", kind="other"))) == "1"
    assert decide(fold, 3, put(one("b", key="k")), "elsewhere") == "1"
    assert decide(fold, 4, put(one("a", key="k", body="changed"))) == "2"
    # Freed and taken in one decision, and by a document that is deleted.
    assert decide(fold, 5, put(one("a", key="l"), one("b", key="k"))) == "3/1"
    assert decide(fold, 6, put(one("b", deleted=True), one("c", key="k"))) == "2/1"
    assert decide(fold, 7, put(one("d", key="k"))) == "DOCUMENT_EXISTS"


def test_all_documents_of_an_intent_are_put_or_none() -> None:
    fold = DocumentFold({})
    assert decide(fold, 0, put(one("a", key="k"), one("b", expected=1))) == "DOCUMENT_NOT_FOUND"
    assert fold.tables() == {}
    assert decide(fold, 1, put(one("c", key="k"))) == "1"


def test_states_before_the_batch_count() -> None:
    known = Documents()
    known.put("entry", DocumentState("a", 7, 1, 5, unique_key="k"))
    known.put("entry", DocumentState("b", 2, 2, 6, deleted=True))
    fold = DocumentFold({"team": known})
    assert decide(fold, 9, put(one("x", key="k"))) == "DOCUMENT_EXISTS"
    assert decide(fold, 10, put(one("a", expected=7), one("b", expected=0), one("x", key="k"))) == "8/3/1"
