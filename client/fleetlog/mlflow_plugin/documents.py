"""Documents: where what MLflow keeps beside runs and models is. Bodies are JSON; a change is refused when another was
first, and made anew of what is there then."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fleetlog_core import limits
from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import document_event_pb2, document_pb2

from fleetlog._calls.base import PAGE, TIMEOUT_SECONDS
from fleetlog._transport.answers import pages
from fleetlog._values.user import current_user
from fleetlog.errors import FleetlogError
from fleetlog.mlflow_plugin.errors import translated
from fleetlog.mlflow_plugin.experiments import ExperimentStore

Put = document_event_pb2.DocumentPut
Result = TypeVar("Result")
TRIES = 100
"""Times that a change is made anew because somebody else was first."""
BATCH_BYTES = limits.DOCUMENTS_BYTES - 256 * 1024
"""Bytes of documents that are put at once, which leaves room for what the request has beside them."""
_RACED = ("DOCUMENT_CHANGED", "DOCUMENT_EXISTS", "DOCUMENT_NOT_FOUND")


@dataclass(frozen=True, slots=True)
class Kept:
    """A document and its body."""

    document_id: str
    parent_id: str
    unique_key: str
    revision: int
    body: dict[str, Any]


class DocumentStore(ExperimentStore):
    """Documents of the namespace."""

    def put_documents(self, *puts: Put) -> None:
        """Put documents in one decision. FleetlogError."""
        connection = self.writers.connection
        request = document_pb2.PutDocumentsRequest(
            namespace=self.place.namespace, request_id=new_random_id(), user=current_user(), documents=puts
        )
        connection.saw(connection.call(connection.documents.PutDocuments, request, TIMEOUT_SECONDS).position)

    def find_documents(
        self,
        kind: str,
        *,
        parent_ids: Sequence[str] | None = None,
        document_ids: Sequence[str] | None = None,
        unique_keys: Sequence[str] | None = None,
    ) -> Iterator[Kept]:
        """Returns documents in the order of their creation; None = whatever they have. FleetlogError."""
        narrowed = [list(values) for values in (parent_ids, document_ids, unique_keys) if values is not None]
        if not all(narrowed):
            return
        if max(map(len, narrowed), default=0) <= limits.DOCUMENTS_PER_REQUEST:
            yield from self._found(kind, parent_ids, document_ids, unique_keys)
            return
        # One of them is long: what it names is asked for in parts.
        size = limits.DOCUMENTS_PER_REQUEST
        for parents in _parts(parent_ids, size):
            for ids in _parts(document_ids, size):
                for keys in _parts(unique_keys, size):
                    yield from self._found(kind, parents, ids, keys)

    def find_document(self, kind: str, document_id: str) -> Kept | None:
        """Returns the document of an id. FleetlogError."""
        if not 0 < len(document_id) <= limits.DOCUMENT_ID_CHARACTERS:
            return None
        return next(self.find_documents(kind, document_ids=[document_id]), None)

    def page_of_documents(
        self, kind: str, parent_id: str, size: int, page_token: str | None
    ) -> tuple[list[Kept], str | None]:
        """Returns up to `size` documents that belong to something, and the token of what is behind them."""
        connection, found = self.writers.connection, list[Kept]()
        request = document_pb2.ListDocumentsRequest(
            namespace=self.place.namespace,
            kind=kind,
            parent_ids=[parent_id],
            page_token=page_token or "",
            at_least=connection.position(),
        )
        with translated():
            while True:
                request.page_size = min(size - len(found), limits.PAGE_SIZE)
                answer = connection.call(connection.documents_query.ListDocuments, request, TIMEOUT_SECONDS)
                found += map(_kept, answer.documents)
                request.page_token = answer.next_page_token
                if len(found) >= size or not request.page_token:
                    return found, request.page_token or None

    def _found(
        self,
        kind: str,
        parent_ids: Sequence[str] | None,
        document_ids: Sequence[str] | None,
        unique_keys: Sequence[str] | None,
    ) -> Iterator[Kept]:
        connection = self.writers.connection
        request = document_pb2.ListDocumentsRequest(
            namespace=self.place.namespace,
            kind=kind,
            parent_ids=parent_ids or (),
            document_ids=document_ids or (),
            unique_keys=unique_keys or (),
            page_size=PAGE,
            at_least=connection.position(),
        )
        for page in pages(connection, connection.documents_query.ListDocuments, request, TIMEOUT_SECONDS):
            yield from map(_kept, page.documents)


def put_of(
    kind: str, document_id: str, body: dict[str, Any], *, parent_id: str = "", unique_key: str = "", revision: int = 0
) -> Put:
    """Returns a document to put in place of that revision; 0 = it is new."""
    return Put(
        kind=kind, document_id=document_id, parent_id=parent_id, unique_key=unique_key, body=json.dumps(body),
        expected_revision=revision,
    )  # fmt: skip


def deletion_of(kind: str, document: Kept) -> Put:
    """Returns the deletion of a document as it is."""
    return Put(kind=kind, document_id=document.document_id, deleted=True, expected_revision=document.revision)


def changed(kind: str, document: Kept, body: dict[str, Any]) -> Put:
    """Returns the document with another body."""
    return put_of(
        kind, document.document_id, body, parent_id=document.parent_id, unique_key=document.unique_key,
        revision=document.revision,
    )  # fmt: skip


def until_first(attempt: Callable[[], Result]) -> Result:
    """Returns what an attempt comes to that nobody else was in the way of. It reads anew each time. MlflowException."""
    with translated():
        for _ in range(TRIES - 1):
            try:
                return attempt()
            except FleetlogError as error:
                if error.reason not in _RACED:
                    raise
        return attempt()


def batches(puts: Sequence[Put], beside: int = 1) -> Iterator[list[Put]]:
    """Returns puts in the order given, as many at once as a request takes with `beside` others."""
    batch, size = list[Put](), 0
    for put in puts:
        bytes_ = put.ByteSize() + 8
        if batch and (len(batch) + beside >= limits.DOCUMENTS_PER_REQUEST or size + bytes_ > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(put)
        size += bytes_
    if batch:
        yield batch


def _parts(values: Sequence[str] | None, size: int) -> Iterator[Sequence[str] | None]:
    if values is None:
        yield None
        return
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _kept(document: document_pb2.Document) -> Kept:
    return Kept(
        document.document_id, document.parent_id, document.unique_key, document.revision, json.loads(document.body)
    )
