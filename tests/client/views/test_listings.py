"""Keys and values: what is asked for, page by page, and how keys are written in filters."""

from __future__ import annotations

from typing import Any

import pytest
from fleetlog._transport.connection import connection_to
from fleetlog._views.facets import KeyInfo, list_keys, list_values
from fleetlog.errors import FleetlogError, InvalidArgument
from fleetlog_core import limits
from fleetlog_proto.v1 import facets_pb2, scope_pb2

from tests.ports import free_port

SCOPE = scope_pb2.RunScope(filter="metrics.x > 1")
Request = facets_pb2.ListKeysRequest | facets_pb2.ListValuesRequest


class Listing:
    """A server that answers with these pages, and what it was asked for."""

    def __init__(self, *pages: Any) -> None:
        self._pages = list(pages)
        self.requests: list[Any] = []
        self.connection = connection_to(f"127.0.0.1:{free_port()}")
        for method in ("ListKeys", "ListValues"):
            setattr(self.connection.query, method, self._answer)

    def _answer(self, request: Request, timeout: float, metadata: object) -> Any:
        copy = type(request)()
        copy.CopyFrom(request)  # type: ignore[arg-type]
        self.requests.append(copy)
        return self._pages.pop(0)


def keys(*kinds_and_keys: tuple[Any, str], token: str = "") -> facets_pb2.ListKeysResponse:
    found = [facets_pb2.KeyFacet(kind=kind, key=key, runs=2) for kind, key in kinds_and_keys]
    return facets_pb2.ListKeysResponse(keys=found, next_page_token=token)


def values(*texts: str, token: str = "") -> facets_pb2.ListValuesResponse:
    found = [facets_pb2.ValueFacet(value=text, runs=1) for text in texts]
    return facets_pb2.ListValuesResponse(values=found, next_page_token=token)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("loss", "metrics.loss"),
        ("val/loss-1.a:b", "metrics.val/loss-1.a:b"),
        ("learning rate", "metrics.`learning rate`"),
        ("a`b", "metrics.`a``b`"),
        ("ends.", "metrics.`ends.`"),
        ("", "metrics.``"),
    ],
)
def test_a_key_is_written_as_filters_write_it(key: str, name: str) -> None:
    assert KeyInfo("metrics", key, 1, 1, None, None).name == name


def test_keys_of_all_pages_are_listed_with_the_range_of_their_numbers() -> None:
    first = keys((facets_pb2.KEY_KIND_PARAM, "lr"), token="more")
    first.keys[0].min, first.keys[0].max, first.keys[0].numeric_runs = 0.0, 1.0, 2
    listing = Listing(first, keys((facets_pb2.KEY_KIND_TAG, "team")))
    found = list_keys(listing.connection, SCOPE, "", "T", 1.0)
    assert found == [KeyInfo("params", "lr", 2, 2, 0.0, 1.0), KeyInfo("tags", "team", 2, 0, None, None)]
    assert [one.page_token for one in listing.requests] == ["", "more"]
    assert (listing.requests[0].scope, listing.requests[0].contains) == (SCOPE, "T")
    assert listing.requests[0].kind == facets_pb2.KEY_KIND_UNSPECIFIED


def test_keys_of_another_kind_than_was_asked_for_are_a_bad_answer() -> None:
    unknown: Any = 77
    for kind, asked in ((facets_pb2.KEY_KIND_TAG, "params"), (unknown, "")):
        with pytest.raises(FleetlogError) as caught:
            list_keys(Listing(keys((kind, "a"))).connection, SCOPE, asked, "", 1.0)
        assert caught.value.reason == "BAD_ANSWER"


def test_a_kind_that_is_none_is_told_before_anything_is_asked() -> None:
    listing = Listing()
    with pytest.raises(InvalidArgument) as caught:
        list_keys(listing.connection, SCOPE, "param", "", 1.0)
    assert caught.value.reason == "KEY_KIND_INVALID"
    assert listing.requests == []


@pytest.mark.parametrize(
    ("key", "kind", "name"),
    [
        ("params.lr", facets_pb2.KEY_KIND_PARAM, "lr"),
        ("tags.`a``b c`", facets_pb2.KEY_KIND_TAG, "a`b c"),
        ("params.`", facets_pb2.KEY_KIND_PARAM, "`"),
        ("attributes.state", facets_pb2.KEY_KIND_ATTRIBUTE, "state"),
        ("state", facets_pb2.KEY_KIND_ATTRIBUTE, "state"),
        ("unknown.state", facets_pb2.KEY_KIND_ATTRIBUTE, "unknown.state"),
    ],
)
def test_a_key_is_asked_for_by_its_kind_and_name(key: str, kind: int, name: str) -> None:
    listing = Listing(values())
    assert list_values(listing.connection, SCOPE, key, "", None, 1.0) == []
    assert (listing.requests[0].kind, listing.requests[0].key) == (kind, name)
    assert listing.requests[0].page_size == limits.PAGE_SIZE


def test_no_more_values_are_asked_for_than_are_wanted() -> None:
    listing = Listing(values("a", "b", token="more"), values("c", token="much more"))
    found = list_values(listing.connection, SCOPE, "tags.team", "", 3, 1.0)
    assert [one.value for one in found] == ["a", "b", "c"]
    assert [one.page_size for one in listing.requests] == [3, 1]
    for limit in (0, -1):
        assert list_values(Listing().connection, SCOPE, "tags.team", "", limit, 1.0) == []


def test_a_page_of_more_values_than_were_asked_for_is_a_bad_answer() -> None:
    with pytest.raises(FleetlogError) as caught:
        list_values(Listing(values("a", "b", "c")).connection, SCOPE, "tags.team", "", 2, 1.0)
    assert caught.value.reason == "BAD_ANSWER"
