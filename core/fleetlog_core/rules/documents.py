"""Documents: what may be asked of them. Their bodies are texts that no server reads."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fleetlog_proto.v1 import document_event_pb2

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.rules.names import check_label

_KIND = re.compile(r"[a-z][a-z0-9_]{0,62}")


def check_document_kind(kind: str, field: str = "kind") -> None:
    """KIND_INVALID."""
    if not _KIND.fullmatch(kind):
        raise InvalidArgument.of_field(
            "KIND_INVALID",
            field,
            f"{shown(kind)} is not 1 to 63 of a-z, 0-9 and '_' with a letter first; rename it",
        )


def check_document_id(document_id: str, field: str) -> None:
    """DOCUMENT_ID_EMPTY, NAME_TOO_LONG, NAME_INVALID."""
    if not document_id:
        raise InvalidArgument.of_field(
            "DOCUMENT_ID_EMPTY", field, f"the id is empty; give it 1 to {limits.DOCUMENT_ID_CHARACTERS} characters"
        )
    check_label(document_id, field, limits.DOCUMENT_ID_CHARACTERS)


def check_parent_id(parent_id: str, field: str) -> None:
    """May be empty. NAME_TOO_LONG, NAME_INVALID."""
    check_label(parent_id, field, limits.DOCUMENT_ID_CHARACTERS)


def check_unique_key(unique_key: str, field: str) -> None:
    """May be empty. NAME_TOO_LONG, NAME_INVALID."""
    check_label(unique_key, field, limits.DOCUMENT_KEY_CHARACTERS)


def check_documents(documents: Sequence[document_event_pb2.DocumentPut]) -> None:
    """What one decision puts. OVER_LIMIT, DOCUMENT_REPEATED, and as above."""
    if not 1 <= len(documents) <= limits.DOCUMENTS_PER_REQUEST:
        raise InvalidArgument.of_field(
            "OVER_LIMIT", "documents", f"{len(documents):,} is not 1 to {limits.DOCUMENTS_PER_REQUEST:,}"
        )
    seen = dict[tuple[str, str], int]()
    for place, put in enumerate(documents):
        field = f"documents[{place}]"
        check_document_kind(put.kind, f"{field}.kind")
        check_document_id(put.document_id, f"{field}.document_id")
        if not put.deleted:
            check_parent_id(put.parent_id, f"{field}.parent_id")
            check_unique_key(put.unique_key, f"{field}.unique_key")
        before = seen.setdefault((put.kind, put.document_id), place)
        if before != place:
            raise InvalidArgument.of_field(
                "DOCUMENT_REPEATED",
                f"{field}.document_id",
                f"{shown(put.document_id)} is put by documents[{before}] too; put each once",
            )
