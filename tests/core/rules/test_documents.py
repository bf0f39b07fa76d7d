"""What may be asked of documents."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument
from fleetlog_core.rules.documents import check_documents
from fleetlog_proto.v1 import document_event_pb2

Put = document_event_pb2.DocumentPut


@pytest.mark.parametrize(
    ("documents", "reason", "field"),
    [
        ([], "OVER_LIMIT", "documents"),
        ([Put(kind="k", document_id=str(n)) for n in range(1_001)], "OVER_LIMIT", "documents"),
        ([Put(document_id="a")], "KIND_INVALID", "documents[0].kind"),
        ([Put(kind="Issue", document_id="a")], "KIND_INVALID", "documents[0].kind"),
        ([Put(kind="../x", document_id="a")], "KIND_INVALID", "documents[0].kind"),
        ([Put(kind="k")], "DOCUMENT_ID_EMPTY", "documents[0].document_id"),
        ([Put(kind="k", document_id="a" * 251)], "NAME_TOO_LONG", "documents[0].document_id"),
        ([Put(kind="k", document_id="a\x00")], "NAME_INVALID", "documents[0].document_id"),
        ([Put(kind="k", document_id="a", parent_id="p" * 251)], "NAME_TOO_LONG", "documents[0].parent_id"),
        ([Put(kind="k", document_id="a", unique_key="u" * 1_001)], "NAME_TOO_LONG", "documents[0].unique_key"),
        ([Put(kind="k", document_id="a"), Put(kind="k", document_id="a")], "DOCUMENT_REPEATED", "documents[1]"),
    ],
)
def test_what_is_wrong_is_named(documents: Sequence[Put], reason: str, field: str) -> None:
    with pytest.raises(InvalidArgument) as failed:
        check_documents(documents)
    assert failed.value.reason == reason
    assert failed.value.message.startswith(field)


def test_ids_of_two_kinds_and_any_body_are_right() -> None:
    check_documents(
        [Put(kind="k", document_id="' OR 1=1 --", body="\x00 é", unique_key="u"), Put(kind="l", document_id="a")]
    )
    check_documents([Put(kind="k", document_id=str(n)) for n in range(limits.DOCUMENTS_PER_REQUEST)])
