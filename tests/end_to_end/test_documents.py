"""Documents through the gateway and the query service: compare-and-set, pages, time, and what is refused."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import document_event_pb2, document_pb2, document_pb2_grpc, position_pb2, scope_pb2

from tests.end_to_end.refusals import SECONDS, refused

Put = document_event_pb2.DocumentPut
CLIENTS = 8


class Documents:
    """The calls, of one namespace, each read holding every change before it."""

    def __init__(self, channel: grpc.Channel, namespace: str = "documents") -> None:
        self._change = document_pb2_grpc.DocumentServiceStub(channel)
        self._read = document_pb2_grpc.DocumentQueryServiceStub(channel)
        self._namespace = namespace
        self.position = position_pb2.Position()

    def put(self, *documents: Put, request_id: bytes = b"") -> list[int]:
        request = document_pb2.PutDocumentsRequest(
            namespace=self._namespace, request_id=request_id, user="eve", documents=documents
        )
        answer = self._change.PutDocuments(request, timeout=SECONDS)
        self.position = answer.position
        return list(answer.revisions)

    def page(self, kind: str, **asked: Any) -> document_pb2.ListDocumentsResponse:
        request = document_pb2.ListDocumentsRequest(
            namespace=self._namespace, kind=kind, at_least=self.position, **asked
        )
        return self._read.ListDocuments(request, timeout=SECONDS)

    def ids(self, kind: str, **asked: Any) -> list[str]:
        return [document.document_id for document in self.page(kind, **asked).documents]


@pytest.fixture
def documents(embedded_target: str) -> Iterator[Documents]:
    with grpc.insecure_channel(embedded_target, options=[("grpc.max_send_message_length", -1)]) as channel:
        yield Documents(channel)


@pytest.mark.smoke
def test_a_document_is_kept_changed_and_deleted(documents: Documents) -> None:
    first = Put(kind="note", document_id="a", parent_id="0", unique_key="k", body="one \x00 é")
    assert documents.put(first, Put(kind="note", document_id="b", parent_id="1")) == [1, 1]
    then = documents.position
    (kept,) = documents.page("note", unique_keys=["k"]).documents
    assert (kept.document_id, kept.parent_id, kept.unique_key, kept.body) == ("a", "0", "k", "one \x00 é")
    assert (kept.revision, kept.create_user, kept.create_time_millis) == (1, "eve", kept.update_time_millis)
    assert kept.create_time_millis > 0
    first.body, first.expected_revision = "two", 1
    assert documents.put(first, Put(kind="note", document_id="b", deleted=True)) == [2, 2]
    (kept,) = documents.page("note").documents
    assert (kept.body, kept.revision) == ("two", 2)
    assert documents.ids("note", as_of=scope_pb2.AsOf(position=then)) == ["a", "b"]
    assert documents.ids("note", document_ids=["a", "b", "nobody"]) == ["a"]
    assert documents.ids("note", parent_ids=["1"]) == []
    assert documents.ids("other") == []


def test_pages_are_of_one_moment_in_the_order_of_creation(documents: Documents) -> None:
    names = [f"p{number}" for number in (3, 1, 2, 5, 4)]
    for name in names:
        documents.put(Put(kind="paged", document_id=name, parent_id="0"))
    first = documents.page("paged", page_size=2, parent_ids=["0"])
    documents.put(Put(kind="paged", document_id="p2", deleted=True), Put(kind="paged", document_id="p9", parent_id="0"))
    documents.put(Put(kind="paged", document_id="p4", parent_id="elsewhere"))
    second = documents.page("paged", page_size=2, parent_ids=["0"], page_token=first.next_page_token)
    third = documents.page("paged", page_size=2, parent_ids=["0"], page_token=second.next_page_token)
    assert [one.document_id for page in (first, second, third) for one in page.documents] == names
    assert third.next_page_token == ""
    assert documents.ids("paged", parent_ids=["0"]) == ["p3", "p1", "p5", "p9"]
    large = [Put(kind="large", document_id=str(number), body="x" * 1_500_000) for number in range(4)]
    for one in large:
        documents.put(one)
    page = documents.page("large")
    assert [document.document_id for document in page.documents] == ["0", "1"]
    assert documents.ids("large", page_token=page.next_page_token) == ["2", "3"]


def test_of_many_who_change_a_document_at_once_each_revision_is_of_one(documents: Documents) -> None:
    documents.put(Put(kind="race", document_id="r", body="0"))
    won: list[int] = []
    lost: list[str] = []

    def count() -> None:
        while True:
            (now,) = documents.page("race").documents
            if now.revision > CLIENTS:
                return
            put = Put(kind="race", document_id="r", body=str(int(now.body) + 1), expected_revision=now.revision)
            try:
                won.extend(documents.put(put))
            except grpc.RpcError as error:
                lost.append(error.code().name)

    threads = [threading.Thread(target=count) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (now,) = documents.page("race").documents
    assert sorted(won) == list(range(2, CLIENTS + 2))
    assert int(now.body) == CLIENTS
    assert set(lost) <= {"FAILED_PRECONDITION"}


def test_a_change_sent_again_has_the_answer_it_had(documents: Documents) -> None:
    request_id, one = new_random_id(), Put(kind="again", document_id="a", expected_revision=0)
    assert documents.put(one, request_id=request_id) == [1]
    documents.put(Put(kind="again", document_id="a"))
    assert documents.put(one, request_id=request_id) == [1]
    answer = refused(lambda: documents.put(Put(kind="again", document_id="b"), request_id=request_id))
    assert (answer.code, answer.reason) == ("FAILED_PRECONDITION", "REQUEST_ID_REUSED")


def test_what_is_wrong_is_named(documents: Documents, embedded_target: str) -> None:
    documents.put(Put(kind="wrong", document_id="a", unique_key="k"))
    hostile = "x' OR 1=1; DROP TABLE documents --"
    taken, gone = Put(kind="wrong", document_id="b", unique_key="k"), Put(kind="wrong", document_id="c", deleted=True)
    here = functools.partial(Put, kind="wrong", document_id="a")
    large = Put(kind="wrong", document_id="l", body="x" * 2_100_000)
    wrong: list[tuple[Callable[[], object], str, str]] = [
        (lambda: documents.put(), "INVALID_ARGUMENT", "OVER_LIMIT"),
        (lambda: documents.put(Put(kind=hostile, document_id="a")), "INVALID_ARGUMENT", "KIND_INVALID"),
        (lambda: documents.put(taken), "ALREADY_EXISTS", "DOCUMENT_EXISTS"),
        (lambda: documents.put(here(expected_revision=0)), "ALREADY_EXISTS", "DOCUMENT_EXISTS"),
        (lambda: documents.put(here(expected_revision=9)), "FAILED_PRECONDITION", "DOCUMENT_CHANGED"),
        (lambda: documents.put(gone), "NOT_FOUND", "DOCUMENT_NOT_FOUND"),
        (lambda: documents.put(large), "RESOURCE_EXHAUSTED", "REQUEST_TOO_LARGE"),
        (lambda: documents.put(here(), request_id=b"x"), "INVALID_ARGUMENT", "INVALID_ID"),
        (lambda: documents.page(""), "INVALID_ARGUMENT", "KIND_INVALID"),
        (lambda: documents.page("wrong", page_size=-1), "INVALID_ARGUMENT", "PAGE_SIZE_NEGATIVE"),
        (lambda: documents.page("wrong", page_token="x"), "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID"),
        (lambda: documents.page("wrong", document_ids=[""]), "INVALID_ARGUMENT", "DOCUMENT_ID_EMPTY"),
        (lambda: documents.page("wrong", unique_keys=["u"] * 1_001), "INVALID_ARGUMENT", "OVER_LIMIT"),
    ]
    for call, code, reason in wrong:
        answer = refused(call)
        assert (answer.code, answer.reason) == (code, reason), answer
    assert documents.ids("wrong", document_ids=[hostile], parent_ids=[hostile], unique_keys=[hostile]) == []
    with grpc.insecure_channel(embedded_target) as channel:
        assert Documents(channel, "another").ids("wrong") == []
