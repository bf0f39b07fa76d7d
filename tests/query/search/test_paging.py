"""Pages of lists: each item once, and a token is of its list alone."""

from __future__ import annotations

import pytest
from fleetlog_core.errors import InvalidArgument
from fleetlog_proto.v1 import artifact_pb2, facets_pb2, position_pb2, scope_pb2
from fleetlog_query.search.paging import Page
from fleetlog_query.search.token import PageTokens
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

TOKENS = PageTokens([b"key"])


def listed(size: int = 0, token: str = "", path: str = "", run_id: str = "1") -> artifact_pb2.ListArtifactsRequest:
    return artifact_pb2.ListArtifactsRequest(run_id=run_id, path=path, page_size=size, page_token=token)


@given(count=st.integers(0, 30), sizes=st.lists(st.integers(1, 10), min_size=1))
def test_each_item_is_on_one_page(count: int, sizes: list[int]) -> None:
    found, token, pages = list[int](), "", 0
    while pages == 0 or token:
        page = Page.of(TOKENS, listed(sizes[pages % len(sizes)], token), "default")
        begin = page.after[0] + 1 if page.after else 0
        items, token = page.cut(range(begin, min(count, begin + page.size + 1)), lambda item: [item])
        found += items
        pages += 1
    assert found == list(range(count))


def test_a_size_is_the_default_or_the_most() -> None:
    assert Page.of(TOKENS, listed(), "default", 50, 70).size == 50
    assert Page.of(TOKENS, listed(100), "default", 50, 70).size == 70
    with pytest.raises(InvalidArgument) as caught:
        Page.of(TOKENS, listed(-1), "default")
    assert caught.value.reason == "PAGE_SIZE_NEGATIVE"


def facets(contains: str = "", filter: str = "", offset: int = 0) -> facets_pb2.ListKeysRequest:  # noqa: A002
    position = position_pb2.Position()
    if offset:
        position.offsets.add(topic="events", partition=0, next_offset=offset)
    return facets_pb2.ListKeysRequest(scope=scope_pb2.RunScope(filter=filter, at_least=position), contains=contains)


@pytest.mark.parametrize(
    ("one", "other", "namespace"),
    [
        (listed(), listed(path="a"), "default"),
        (listed(), listed(run_id="2"), "default"),
        (listed(), listed(), "another"),
        (facets(), facets("a"), "default"),
        (facets(), facets(filter="a > 1"), "default"),
        (facets(), facets_pb2.ListValuesRequest(), "default"),
    ],
)
def test_a_token_is_of_no_other_list(one: Message, other: Message, namespace: str) -> None:
    token = Page.of(TOKENS, one, "default").token([1])
    other.MergeFrom(type(other)(page_token=token))
    with pytest.raises(InvalidArgument) as caught:
        Page.of(TOKENS, other, namespace)
    assert caught.value.reason == "PAGE_TOKEN_INVALID"


def test_a_page_of_another_size_that_waits_for_more_goes_on() -> None:
    token = Page.of(TOKENS, facets(), "default").token(["b", 7])
    later = facets(offset=9)
    later.page_token, later.page_size = token, 5
    assert Page.of(TOKENS, later, "default").after == ["b", 7]
    assert Page.of(TOKENS, later, "").after == ["b", 7], "no namespace is the default one"
